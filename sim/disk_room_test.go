package sim_test

import (
	"errors"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sim"
)

// A program learns how much room its disk has, also when the script has just said so.
func TestStatfs(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		disk := &w.Hosts()[0].Disk
		want := func(when string, size, free uint64) {
			fs, err := file.Statfs("/data")
			if err != nil || fs.Size != size || fs.Free != free || fs.Available != free {
				w.Errorf("%s: %+v, %v, want %d bytes of which %d are free", when, fs, err, size, free)
			}
		}
		want("at first", 1<<40, 1<<40)
		disk.Capacity = 1 << 20
		want("with a capacity", 1<<20, 1<<20)
		if err := file.WriteFile("/data/half", make([]byte, 1<<19), 0o600); err != nil {
			return err
		}
		want("half full", 1<<20, 1<<19)
		if err := file.WriteFile("/data/more", make([]byte, 1<<20), 0o600); !errors.Is(err, posix.ENOSPC) {
			w.Errorf("a write of more than there is room for: %v", err)
		}
		want("full", 1<<20, 0)
		disk.Capacity = 1 << 10
		want("over-full", 0, 0)
		disk.Capacity = 1 << 20
		if err := file.Remove("/data/half"); err != nil {
			return err
		}
		want("half full again", 1<<20, 1<<19)
		return nil
	})
}
