//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/file"
)

// chowner is the two calls, of names or of those in a directory.
type chowner interface {
	Chown(name string, uid, gid int) error
	Lchown(name string, uid, gid int) error
}

// chowns are calls and the names that they are of. One that is not root may do the first
// alone; what it may not is the same error for both.
var chowns = []struct{ uid, gid int }{{-1, -1}, {os.Getuid(), os.Getgid()}, {-1, 12345}, {54321, -1},
	{1<<31 - 1, 7}, {7, -2}}

// owned is what a directory's names belong to after every call, and the calls' errors.
func owned(t *testing.T, dir string, c chowner, names []string) (told []string) {
	t.Helper()
	for _, name := range names {
		for _, ids := range chowns {
			for i, f := range []func(string, int, int) error{c.Chown, c.Lchown} {
				err := f(name, ids.uid, ids.gid)
				text := fmt.Sprint([]string{"Chown ", "Lchown "}[i], name, " ", ids, ": ", err, owners(t, dir))
				told = append(told, strings.ReplaceAll(text, dir, "DIR"))
			}
		}
	}
	return told
}

func owners(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		all = append(all, fmt.Sprint(e.Name(), " ", st.Uid, " ", st.Gid))
	}
	return all
}

// plainNames are the calls of a package.
type plainNames struct {
	dir           string
	chown, lchown func(name string, uid, gid int) error
}

func (p plainNames) in(name string) string {
	if name == "" {
		return ""
	}
	return p.dir + "/" + name
}

func (p plainNames) Chown(name string, uid, gid int) error  { return p.chown(p.in(name), uid, gid) }
func (p plainNames) Lchown(name string, uid, gid int) error { return p.lchown(p.in(name), uid, gid) }

// belongings fills a directory.
func belongings(t *testing.T) string {
	t.Helper()
	dir := tempDir(t)
	err := errors.Join(writeFile(dir+"/f", nil, 0o600), makeDir(dir+"/d", 0o700), symlink("f", dir+"/to-f"),
		symlink("d", dir+"/to-d"), symlink("none", dir+"/dangling"), symlink("loop", dir+"/loop"),
		syscall.Mkfifo(dir+"/fifo", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Chown and Lchown of a name do and say what os's do.
func TestChownOfNames(t *testing.T) {
	names := []string{"f", "d", "to-f", "to-d", "to-d/", "d/", "f/", "dangling", "loop", "fifo", "none", "", "n\x00ul",
		strings.Repeat("x", 300)}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		a, b := belongings(t), belongings(t)
		want := owned(t, a, plainNames{a, os.Chown, os.Lchown}, names)
		got := owned(t, b, plainNames{b, file.Chown, file.Lchown}, names)
		sameOwners(t, got, want)
	})
}

// Those of a Dir are os.Root's.
func TestChownInDir(t *testing.T) {
	names := []string{"f", "d", "to-f", "to-d", "to-d/", "to-f/", "f/", "d/", "./f", "d/../f", "dangling", "loop",
		"fifo", "none", "n\x00ul"}
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			a, b := belongings(t), belongings(t)
			root, err := os.OpenRoot(a)
			d, err2 := file.OpenDir(b)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			sameOwners(t, owned(t, b, d, names), owned(t, a, root, names))
			if err := errors.Join(root.Close(), d.Close()); err != nil {
				t.Error(err)
			}
		})
	})
}

// Neither leads out of a Dir.
func TestChownNoWayOut(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		hostile(t, dir)
		before := owners(t, dir+"/..")
		for _, name := range escapes {
			if err := d.Chown(name, os.Getuid(), 12345); !refusal(err) {
				t.Errorf("Chown(%q): %v", name, err)
			}
		}
		for _, name := range []string{"../secret", "up/secret", "a/up2/secret", "/etc/passwd"} {
			if err := d.Lchown(name, os.Getuid(), 12345); !errors.Is(err, file.ErrEscapes) {
				t.Errorf("Lchown(%q): %v", name, err)
			}
		}
		if after := owners(t, dir+"/.."); !slices.Equal(before, after) {
			t.Errorf("outside are %q, before %q", after, before)
		}
	})
}

func sameOwners(t *testing.T, got, want []string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// TestSysIsKept: programs note in an info's Stat_t whose the file is to be, as lumberjack's tests do.
func TestSysIsKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for of, stat := range map[string]func(string) (fs.FileInfo, error){"os": os.Stat, "file": file.Stat} {
		info, err := stat(name)
		if err != nil {
			t.Fatal(err)
		}
		info.Sys().(*syscall.Stat_t).Uid = 555
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 555 {
			t.Errorf("%s: the owner that was written is 555, and then %d", of, uid)
		}
	}
}
