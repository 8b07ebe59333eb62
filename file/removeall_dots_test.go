package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// A name that ends with "." or ".." is refused before anything is removed. A ".." that is
// followed would lead out of a directory which somebody moves meanwhile.
func TestRemoveAllDots(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		if err := errors.Join(makeDirs(filepath.Join(dir, "a/b"), 0o700),
			writeFile(filepath.Join(dir, "a/b/deep"), []byte("deep"), 0o600),
			writeFile(filepath.Join(dir, "fine"), []byte("fine"), 0o600)); err != nil {
			t.Fatal(err)
		}
		before := inventory(t, dir)
		for _, name := range []string{".", "./", "..", "../", "a/.", "a/./", "a/.//", "a/..", "a/../", "a/b/..",
			"a/b/../", "a/b/../..", "./.."} {
			if err := d.RemoveAll(name); err == nil {
				t.Errorf("RemoveAll(%q) = nil", name)
			}
			if got := inventory(t, dir); got != before {
				t.Fatalf("RemoveAll(%q): the directory was\n%s\nand is\n%s", name, before, got)
			}
		}
		if err := d.RemoveAll("a/../a//"); err != nil {
			t.Errorf("RemoveAll of a name with slashes behind it: %v", err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "a")); !os.IsNotExist(err) {
			t.Errorf("what was removed: %v", err)
		}
	})
}

// Names that end with "." are refused as by os.Root. (That takes a ".." away without a look
// at what it is, as no other call does, and so some of the others are no error there.)
func TestRemoveAllDotsLikeRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			for _, name := range []string{".", "./", "..", "../", "a/.", "a/./", "a/..", "a/",
				"a/b/../../a", "none/.", "none"} {
				var failed [2]bool
				for i := range failed {
					dir := filepath.Join(tempDir(t), "dir")
					if err := makeDirs(filepath.Join(dir, "a/b"), 0o700); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						r, err := os.OpenRoot(dir)
						if err != nil {
							t.Fatal(err)
						}
						failed[i] = r.RemoveAll(name) != nil
						r.Close()
						continue
					}
					d, err := file.OpenDir(dir)
					if err != nil {
						t.Fatal(err)
					}
					failed[i] = d.RemoveAll(name) != nil
					d.Close()
				}
				if failed[0] != failed[1] {
					t.Errorf("RemoveAll(%q) fails with os.Root: %v, with a Dir: %v", name, failed[0], failed[1])
				}
			}
		})
	})
}

// The root of all is not removed, and its error is told: in worlds, where nothing would be lost.
func TestRemoveAllOfTheRoot(t *testing.T) {
	inWorlds(t, func(t *testing.T, _ *ringo.Loop) {
		for _, name := range []string{"/", "//", "///"} {
			if err := file.RemoveAll(name); err == nil {
				t.Errorf("RemoveAll(%q) = nil", name)
			}
		}
	})
}

// A task that is cancelled is told with the words of all errors.
func TestRemoveAllCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := filepath.Join(tempDir(t), "dir/below")
			if err := makeDirs(name, 0o700); err != nil {
				t.Fatal(err)
			}
			err := l.WithTimeout(0, func() error { return file.RemoveAll(filepath.Dir(name)) })
			var p *fs.PathError
			if !errors.As(err, &p) || p.Op == "" || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("RemoveAll behind a timeout = %T %v", err, err)
			}
			if _, err := statOf(name); err != nil {
				t.Error(err)
			}
		})
	})
}
