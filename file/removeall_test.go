package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// RemoveAll removes nothing that a link leads to, also one that takes a directory's
// place while it is emptied.
func TestRemoveAllRace(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base := tempDir(t)
		outside := filepath.Join(base, "outside")
		if err := makeDir(outside, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if err := writeFile(fmt.Sprintf("%s/kept%d", outside, i), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for round := range scaled(20) {
			tree := filepath.Join(base, "tree")
			sub := tree + "/a/b"
			err := errors.Join(makeDirs(sub, 0o700), symlink(outside, tree+"/link"),
				symlink("../../outside", tree+"/a/up"))
			for i := range 20 {
				err = errors.Join(err, writeFile(fmt.Sprintf("%s/x%d", sub, i), nil, 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			stop, stopped := make(chan bool), make(chan bool)
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
					}
					if os.Rename(sub, base+"/aside") == nil {
						symlink(outside, sub)
						os.Remove(sub)
						os.Rename(base+"/aside", sub)
					}
				}
			}()
			err = file.RemoveAll(tree)
			close(stop)
			<-stopped
			t.Logf("round %d: %v", round, err) // a directory may be put back meanwhile
			os.RemoveAll(base + "/aside")
			if err := file.RemoveAll(tree); err != nil {
				t.Errorf("RemoveAll undisturbed: %v", err)
			}
			if _, err := os.Lstat(tree); !os.IsNotExist(err) {
				t.Errorf("it is still there: %v", err)
			}
		}
		if entries, err := readDir(outside); len(entries) != 50 || err != nil {
			t.Errorf("outside are %d files, %v", len(entries), err)
		}
	})
}

// A tree of many entries and levels goes. It is in memory, where there is such a place: on a disk that others use, too,
// thousands of names take as long as the others let them.
func TestRemoveAllLarge(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base, err := os.MkdirTemp("/dev/shm", "ringo")
		if err != nil {
			base = tempDir(t)
		}
		t.Cleanup(func() { os.RemoveAll(base) })
		deep := base + "/deep"
		for range 100 {
			deep += "/d"
		}
		err = makeDirs(deep, 0o700)
		for i := range 1100 {
			err = errors.Join(err, writeFile(fmt.Sprintf("%s/deep/x%d", base, i), nil, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := file.RemoveAll(base + "/deep"); err != nil {
			t.Error(err)
		}
		if entries, err := readDir(base); len(entries) != 0 || err != nil {
			t.Errorf("left are %v, %v", entries, err)
		}
	})
}
