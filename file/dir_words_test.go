package file_test

import (
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// rooted is what a Dir and an os.Root have in common, but for what gives a file.
type rooted interface {
	Mkdir(name string, perm fs.FileMode) error
	Remove(name string) error
	RemoveAll(name string) error
	Rename(a, b string) error
	Link(a, b string) error
	Symlink(to, name string) error
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	Chmod(name string, mode fs.FileMode) error
	Chown(name string, uid, gid int) error
	Lchown(name string, uid, gid int) error
	Chtimes(name string, a, m time.Time) error
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
}

// refusals are the errors of all calls on a name.
func refusals(r rooted, name string) (told []string) {
	_, stat := r.Stat(name)
	_, lstat := r.Lstat(name)
	_, read := r.ReadFile(name)
	for _, err := range []error{r.Mkdir(name, 0o700), r.Remove(name), r.RemoveAll(name),
		r.Rename(name, "x"), r.Rename("f", name), r.Link(name, "x"), r.Link("f", name), r.Symlink("f", name), stat,
		lstat, r.Chmod(name, 0o600), r.Chown(name, -1, -1), r.Lchown(name, -1, -1),
		r.Chtimes(name, time.Time{}, time.Unix(1, 0)), read, r.WriteFile(name, nil, 0o600)} {
		told = append(told, fmt.Sprint(err))
	}
	return told
}

// An empty name, and one that leads out, is refused in os.Root's words.
func TestDirWordsOfRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			dir := tempDir(t)
			if err := writeFile(dir+"/f", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			d, err2 := file.OpenDir(dir)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			defer root.Close()
			defer d.Close()
			for _, name := range []string{"", "../x", "/etc/passwd"} {
				want, got := refusals(root, name), refusals(d, name)
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%q, call %d: %s, os.Root has %s", name, i, got[i], want[i])
					}
				}
				_, got2 := d.Open(name)
				_, want2 := root.Open(name)
				if fmt.Sprint(got2) != fmt.Sprint(want2) {
					t.Errorf("Open(%q): %v, os.Root has %v", name, got2, want2)
				}
			}
		})
	})
}
