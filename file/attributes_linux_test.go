//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// accessTree is a directory of files with all sorts of modes, and the names in it to ask for.
func accessTree(t *testing.T) (dir string, names []string) {
	t.Helper()
	dir = tempDir(t)
	for _, mode := range []fs.FileMode{0, 0o400, 0o600, 0o644, 0o755, 0o111} {
		name := fmt.Sprintf("%o", mode)
		err := writeFile(filepath.Join(dir, name), nil, mode)
		err = errors.Join(err, os.Chmod(filepath.Join(dir, name), mode),
			symlink(name, filepath.Join(dir, "to"+name)))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name, "to"+name)
	}
	err := symlink("none", filepath.Join(dir, "dangles"))
	if err = errors.Join(err, makeDir(filepath.Join(dir, "d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	return dir, append(names, ".", "d", "d/", "dangles", "none", "644/", "644/x", "")
}

// Access says what faccessat2 says, of names and of names in a directory.
func TestAccess(t *testing.T) {
	dir, names := accessTree(t)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		d, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, name := range names {
			for mode := range file.AccessMode(8) {
				whole := filepath.Join(dir, "x")[:len(dir)+1] + name
				if name == "" {
					whole = ""
				}
				want := unix.Faccessat(unix.AT_FDCWD, whole, uint32(mode), unix.AT_EACCESS)
				sameErrno(t, fmt.Sprintf("Access(%q, %d)", name, mode), file.Access(whole, mode), want)
				switch err := d.Access(name, mode); {
				case name == "": // of which a Root has an error of its own
					if err == nil {
						t.Errorf("Root.Access(%q, %d) went well", name, mode)
					}
				default:
					sameErrno(t, fmt.Sprintf("Root.Access(%q, %d)", name, mode), err, want)
				}
			}
		}
		var p *fs.PathError
		if err := file.Access(filepath.Join(dir, "644"), file.AccessExec); !errors.Is(err, fs.ErrPermission) ||
			!errors.As(err, &p) || p.Op != "access" {
			t.Errorf("Access without permission: %v", err)
		}
		for what, err := range map[string]error{
			"Access":      file.Access(filepath.Join(dir, "644"), 8),
			"Root.Access": d.Access("644", file.AccessRead|8),
		} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s with a mode that there isn't: %v", what, err)
			}
		}
		if err := file.Access("a\x00b", file.AccessExist); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Access of a name with a NUL: %v", err)
		}
	})
}

func sameErrno(t *testing.T, what string, got, want error) {
	t.Helper()
	if got == nil && want == nil || want != nil && errors.Is(got, want) {
		return
	}
	t.Errorf("%s: %v, want %v", what, got, want)
}

// Access asks for the effective user, as an open does, and not for the real one.
func TestAccessIsOfTheEffectiveUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	dir, _ := accessTree(t)
	for name := filepath.Dir(dir); name != os.TempDir(); name = filepath.Dir(name) {
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with this
		const nobody, same = 65534, ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, same, nobody, same); errno != 0 {
			t.Error(errno)
			return
		}
		for mode, want := range map[string]error{"600": fs.ErrPermission, "644": nil, "to400": fs.ErrPermission} {
			name := filepath.Join(dir, mode)
			if real := unix.Access(name, unix.R_OK); real != nil {
				t.Errorf("%s: the real user may not read it: %v", mode, real)
			}
			if err := file.Access(name, file.AccessRead); !errors.Is(err, want) {
				t.Errorf("Access(%s): %v, want %v", mode, err, want)
			}
			f, err := os.Open(name)
			if !errors.Is(err, want) {
				t.Errorf("an open of %s: %v, want %v", mode, err, want)
			}
			f.Close()
		}
	}()
	<-done
}

// Statfs is statfs(2), by a name, an open file and a directory.
func TestStatfs(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for _, dir := range []string{tempDir(t), "/proc", "/dev/shm", "/sys"} {
			var want unix.Statfs_t
			if err := unix.Statfs(dir, &want); err != nil {
				t.Log(dir, err)
				continue
			}
			d, err := file.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			f, err := file.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for what, ask := range map[string]func() (*file.FSInfo, error){
				"Statfs": func() (*file.FSInfo, error) { return file.Statfs(dir) },
				"File":   f.Statfs,
				"Root":   func() (*file.FSInfo, error) { return d.Statfs(".") },
			} {
				got, err := ask()
				if err != nil {
					t.Errorf("%s of %s: %v", what, dir, err)
					continue
				}
				if got.Type != int64(uint32(want.Type)) || got.BlockSize != int64(want.Frsize) ||
					got.Size != want.Blocks*uint64(want.Frsize) || got.NameMax != int(want.Namelen) ||
					got.Flags != int64(want.Flags) || got.ReadOnly() != (want.Flags&unix.ST_RDONLY != 0) {
					t.Errorf("%s of %s: %+v, want %+v", what, dir, *got, want)
				}
				if got.Available > got.Free || got.Free > got.Size || got.FilesFree > got.Files {
					t.Errorf("%s of %s: %+v", what, dir, *got)
				}
			}
			d.Close()
			f.Close()
			if _, err := f.Statfs(); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Statfs of a closed file: %v", err)
			}
		}
		_, err := file.Statfs("/none/such")
		var p *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &p) || p.Op != "statfs" {
			t.Errorf("Statfs of nothing: %v", err)
		}
	})
}

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

// Those of a Root are os.Root's.
func TestChownInDir(t *testing.T) {
	names := []string{"f", "d", "to-f", "to-d", "to-d/", "to-f/", "f/", "d/", "./f", "d/../f", "dangling", "loop",
		"fifo", "none", "n\x00ul"}
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			a, b := belongings(t), belongings(t)
			root, err := os.OpenRoot(a)
			d, err2 := file.OpenRoot(b)
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

// Neither leads out of a Root.
func TestChownNoWayOut(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
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

// The times of a file may lie where nanoseconds in an int64 don't reach, which os does not take.
func TestChtimesFar(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		theirs, ours := filled(t, dir, 1), dir+"/ours"
		f, err := file.Create(ours)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, when := range []time.Time{time.Date(2300, 1, 1, 0, 0, 0, 7, time.UTC), time.Unix(1, 5),
			time.Date(1910, 1, 1, 0, 0, 0, 0, time.UTC)} {
			spec, err := unix.TimeToTimespec(when)
			if err != nil {
				continue // on 32 bits there are no such times
			}
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, theirs, []unix.Timespec{spec, spec}, 0); err != nil {
				t.Fatal(err)
			}
			if err := f.Chtimes(when, when); err != nil {
				t.Errorf("Chtimes to %v: %v", when, err)
			}
			want, err := statOf(theirs)
			got, err2 := statOf(ours)
			if err != nil || err2 != nil || !got.ModTime().Equal(want.ModTime()) {
				t.Errorf("Chtimes to %v: the file was changed at %v, want %v", when, got.ModTime(), want.ModTime())
			}
		}
	})
}
