package file_test

import (
	"testing"
	"time"

	"ringo/file"
)

// Modes and times of what a link in a Dir leads to, inside.
func TestDirAttributes(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		hostile(t, dir)
		when := time.Unix(1e9, 7000)
		for _, name := range []string{"a/in-up", "a/b", "fine"} {
			if err := d.Chmod(name, 0o740); err != nil {
				t.Errorf("Chmod(%s): %v", name, err)
			}
			if err := d.Chtimes(name, time.Time{}, when); err != nil {
				t.Errorf("Chtimes(%s): %v", name, err)
			}
			info, err := statOf(dir + "/" + name)
			if err != nil || info.Mode().Perm() != 0o740 || !info.ModTime().Equal(when) {
				t.Errorf("%s is %v, %v", name, info, err)
			}
			seen, err := d.Stat(name)
			if err != nil || seen.Mode() != info.Mode() || !seen.ModTime().Equal(when) || seen.Size() != info.Size() ||
				!file.SameFile(seen, info) {
				t.Errorf("Stat(%s) = %v, %v, want %v", name, seen, err, info)
			}
		}
	})
}
