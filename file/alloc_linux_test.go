//go:build linux

package file_test

import (
	"os"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// Calls on an open file allocate nothing, by whoever and by whatever path.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := filled(t, dir, 1<<16)
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := buf.Aligned(4096, 4096)
		vec := [][]byte{p[:1000], p[1000:]}
		calls := map[string]func() error{
			"ReadAt":   func() error { _, err := f.ReadAt(p, 4096); return err },
			"ReadVAt":  func() error { _, err := f.ReadVAt(vec, 4096); return err },
			"WriteAt":  func() error { _, err := f.WriteAt(p, 4096); return err },
			"WriteVAt": func() error { _, err := f.WriteVAt(vec, 4096); return err },
			"Write":    func() error { _, err := f.Write(p); return err },
			"Seek":     func() error { _, err := f.Seek(0, 0); return err },
			"Datasync": f.Datasync,
			"Truncate": func() error { return f.Truncate(1 << 16) },
		}
		if d, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0); err == nil {
			defer d.Close()
			calls["ReadAt, direct"] = func() error { _, err := d.ReadAt(p, 4096); return err }
		}
		for what, call := range calls {
			n := alloctest.Least(20, 0.1, func() {
				if err := call(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
			if n > 0.1 {
				t.Errorf("%s allocates %v times", what, n)
			}
		}
	})
}
