package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"ringo/file"
)

// A Dir's FS does what an fs.FS has to, for each caller.
func TestFS(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		for name, content := range map[string]string{"hello": "hello, world", "a/b/c": "deep", "a/empty": "",
			"a/big": string(bytesOf(5_000))} {
			name = filepath.Join(dir, name)
			if err := errors.Join(makeDirs(filepath.Dir(name), 0o700),
				writeFile(name, []byte(content), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if err := symlink("b/c", dir+"/a/link"); err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(d.FS(), "hello", "a/b/c", "a/empty", "a/big", "a/link"); err != nil {
			t.Error(err)
		}
		sub, err := fs.Sub(d.FS(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(sub, "b/c", "empty"); err != nil {
			t.Error(err)
		}
		if to, err := fs.ReadLink(sub, "link"); to != "b/c" || err != nil {
			t.Errorf("ReadLink = %q, %v", to, err)
		}
		if _, err := fs.ReadFile(sub, "../hello"); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a name that is none gives %v", err)
		}
	})
}

// Walk sees what filepath.WalkDir sees, and is led by what the function gives.
func TestWalk(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		for _, name := range []string{"a/1/x", "a/1/y", "a/2/x", "b/x", "c"} {
			name = filepath.Join(dir, name)
			if err := errors.Join(makeDirs(filepath.Dir(name), 0o700), writeFile(name, nil, 0o600),
				symlink("..", name+"-link")); err != nil {
				t.Fatal(err)
			}
		}
		stop := errors.New("stop")
		for what, led := range map[string]map[string]error{
			"all": nil, "skips a directory": {"1": fs.SkipDir}, "skips the rest of one": {"x": fs.SkipDir},
			"skips all": {"2": fs.SkipAll}, "fails": {"y": stop}, "skips the root": {"dir": fs.SkipDir},
		} {
			var lists [3][]string
			into := func(i int) fs.WalkDirFunc {
				return func(name string, e fs.DirEntry, err error) error {
					if rel, relErr := filepath.Rel(dir, name); relErr == nil {
						name = rel
					}
					lists[i] = append(lists[i], fmt.Sprint(name, e.Type(), err))
					return led[e.Name()]
				}
			}
			want := filepath.WalkDir(dir, into(0))
			if got := file.Walk(dir, into(1)); !errors.Is(got, want) || !slices.Equal(lists[0], lists[1]) {
				t.Errorf("%s: Walk = %v\n%q, want %v\n%q", what, got, lists[1], want, lists[0])
			}
			if what == "skips the root" {
				continue // which has another name
			}
			if got := d.Walk(".", into(2)); !errors.Is(got, want) || !slices.Equal(lists[0], lists[2]) {
				t.Errorf("%s: Dir.Walk = %v\n%q, want %v\n%q", what, got, lists[2], want, lists[0])
			}
		}
		var failed error
		err := file.Walk(dir+"/none", func(_ string, _ fs.DirEntry, err error) error {
			failed = err
			return nil
		})
		if err != nil || !errors.Is(failed, fs.ErrNotExist) {
			t.Errorf("Walk of nothing gave %v and told %v", err, failed)
		}
	})
}

// A large directory is read in steps, each entry once, without more memory than a step
// takes; and read whole like os.
func TestListing(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		const n = 700 // more than one call gives
		for i := range n {
			if err := writeFile(fmt.Sprintf("%s/entry-with-a-long-name-%04d", dir, i), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := d.List(".")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for {
			entries, err := l.ReadDir(7)
			if err != nil {
				if len(entries) != 0 || err.Error() != "EOF" {
					t.Fatalf("ReadDir gave %d entries and %v", len(entries), err)
				}
				break
			}
			for _, e := range entries {
				if seen[e.Name()] || e.IsDir() {
					t.Fatalf("entry %v came twice", e)
				}
				seen[e.Name()] = true
			}
		}
		if len(seen) != n {
			t.Errorf("%d entries, want %d", len(seen), n)
		}
		if entries, err := l.ReadDir(-1); len(entries) != 0 || err != nil {
			t.Errorf("behind the end are %v, %v", entries, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.ReadDir(1); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("ReadDir after Close: %v", err)
		}
		got, err := file.ReadDir(dir)
		want, err2 := readDir(dir)
		if err != nil || err2 != nil || len(got) != len(want) {
			t.Fatalf("%d entries, %v; os has %d, %v", len(got), err, len(want), err2)
		}
		for i := range got {
			a, err := got[i].Info()
			b, err2 := want[i].Info()
			if got[i].Name() != want[i].Name() || got[i].Type() != want[i].Type() || err != nil ||
				err2 != nil || !file.SameFile(a, b) {
				t.Fatalf("entry %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}
