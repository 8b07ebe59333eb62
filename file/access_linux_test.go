//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

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
		d, err := file.OpenDir(dir)
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
				case name == "": // of which a Dir has an error of its own
					if err == nil {
						t.Errorf("Dir.Access(%q, %d) went well", name, mode)
					}
				default:
					sameErrno(t, fmt.Sprintf("Dir.Access(%q, %d)", name, mode), err, want)
				}
			}
		}
		var p *fs.PathError
		if err := file.Access(filepath.Join(dir, "644"), file.AccessExec); !errors.Is(err, fs.ErrPermission) ||
			!errors.As(err, &p) || p.Op != "access" {
			t.Errorf("Access without permission: %v", err)
		}
		for what, err := range map[string]error{
			"Access":     file.Access(filepath.Join(dir, "644"), 8),
			"Dir.Access": d.Access("644", file.AccessRead|8),
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
			d, err := file.OpenDir(dir)
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
				"Dir":    func() (*file.FSInfo, error) { return d.Statfs(".") },
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
