package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
)

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// WriteFileAtomic makes and replaces files, with the mode asked for, and leaves nothing
// else behind.
func TestWriteFileAtomic(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := filepath.Join(dir, "file")
		for _, content := range []string{"first", "", strings.Repeat("longer ", 100_000)} {
			if err := file.WriteFileAtomic(name, []byte(content), 0o700); err != nil {
				t.Fatal(err)
			}
			got, err := readFile(name)
			info, err2 := statOf(name)
			if err != nil || err2 != nil || string(got) != content || info.Mode() != 0o700 {
				t.Errorf("it left %d bytes, %v, %v, %v", len(got), info, err, err2)
			}
		}
		if got := names(t, dir); got != "file" {
			t.Errorf("in the directory are %s", got)
		}
	})
}

// On a failure what was there is there still, and nothing else.
func TestWriteFileAtomicFails(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		if err := errors.Join(makeDir(dir+"/full", 0o700), writeFile(dir+"/full/x", nil, 0o600),
			writeFile(dir+"/file", []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]error{"": fs.ErrNotExist, dir + "/": posix.EISDIR, dir +
			"/full": posix.EISDIR, dir + "/none/x": fs.ErrNotExist,
			dir + "/file/x": posix.ENOTDIR, dir + "/n\x00ul": posix.EINVAL, dir + "/..": posix.EISDIR, dir + "/" +
				strings.Repeat("x", 256): posix.ENAMETOOLONG} {
			if err := file.WriteFileAtomic(name, []byte("new"), 0o600); !errors.Is(err, want) {
				t.Errorf("WriteFileAtomic(%q) = %v, want %v", name, err, want)
			}
		}
		a, err := file.CreateAtomic(dir+"/file", 0o600)
		if err != nil {
			t.Fatal(err)
		}
		a.WriteString("new")
		if err := errors.Join(a.Abort(), a.Abort(), a.Close()); err != nil {
			t.Errorf("Abort: %v", err)
		}
		if err := a.Commit(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Commit after Abort: %v", err)
		}
		if got, _ := readFile(dir + "/file"); string(got) != "old" || names(t, dir) != "file full" {
			t.Errorf("the file holds %q, and beside it are %s", got, names(t, dir))
		}
	})
}

// Whoever reads while a file is replaced sees one content or the other.
func TestWriteFileAtomicSeen(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filepath.Join(tempDir(t), "file")
		contents := [][]byte{bytes.Repeat([]byte("a"), 40_000), bytes.Repeat([]byte("b"), 70_000)}
		if err := file.WriteFileAtomic(name, contents[0], 0o600); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		stop := make(chan bool)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := readFile(name); err != nil || !bytes.Equal(got, contents[0]) &&
					!bytes.Equal(got, contents[1]) {
					t.Errorf("a reader finds %d bytes, %v", len(got), err)
					return
				}
			}
		})
		for i := range 20 {
			if err := file.WriteFileAtomic(name, contents[i%2], 0o600); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		wg.Wait() // the reader waits for nobody
	})
}

// A task that is cancelled at any moment has written all or nothing, and leaves nothing
// beside it.
func TestWriteFileAtomicCanceled(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			dir := tempDir(t)
			onLoop(t, cfg, func(l *ringo.Loop) {
				for range 60 {
					name := filepath.Join(dir, "file")
					writeFile(name, []byte("old"), 0o600)
					var err error
					task := l.Go(func() { err = file.WriteFileAtomic(name, []byte("new"), 0o600) })
					stopper := l.Go(func() {
						for range len(names(t, dir)) % 7 {
							l.Sleep(0)
						}
						task.Cancel()
					})
					task.Wait()
					stopper.Wait()
					got, _ := readFile(name)
					switch {
					case err == nil && string(got) == "new":
					case errors.Is(err, context.Canceled) && string(got) == "old":
					default:
						t.Errorf("WriteFileAtomic = %v, and the file holds %q", err, got)
					}
					if got := names(t, dir); got != "file" {
						t.Errorf("in the directory are %s", got)
					}
				}
			})
		})
	})
}

// A file without a name goes with its Close, or gets one.
func TestTemp(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		for _, named := range []bool{false, true} {
			f, err := d.Temp(0o700)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("content"); err != nil {
				t.Error(err)
			}
			if named {
				if err := d.LinkTo(f, "x/../../secret"); err == nil {
					t.Error("LinkTo leads out")
				}
				if err := d.LinkTo(f, "named"); err != nil {
					t.Errorf("LinkTo: %v", err)
				}
				if err := d.LinkTo(f, "named"); !errors.Is(err, fs.ErrExist) {
					t.Errorf("LinkTo what is there: %v", err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		got, err := readFile(dir + "/named")
		info, _ := statOf(dir + "/named")
		if string(got) != "content" || err != nil || info.Mode() != 0o700 || names(t, dir) != "named" {
			t.Errorf("the directory has %s; named holds %q, %v, %v", names(t, dir), got, info, err)
		}
		if err := d.Sync(); err != nil {
			t.Errorf("Sync: %v", err)
		}
	})
}

// Temporary files and directories have names as os gives them, and its errors.
func TestTempNames(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		for pattern, ends := range map[string][2]string{"": {"", ""}, "x": {"x", ""}, "a*b": {"a", "b"}, "*": {"", ""},
			"a*b*c": {"a*b", "c"}} {
			f, err := file.CreateTemp(dir, pattern)
			if err != nil {
				t.Fatal(err)
			}
			made, err := file.MkdirTemp(dir+"/", pattern)
			if err != nil {
				t.Fatal(err)
			}
			for name, mode := range map[string]fs.FileMode{f.Name(): 0o600, made: fs.ModeDir | 0o700} {
				base := filepath.Base(name)
				if info, err := statOf(name); err != nil || info.Mode() != mode || filepath.Dir(name) != dir ||
					!strings.HasPrefix(base, ends[0]) || !strings.HasSuffix(base, ends[1]) {
					t.Errorf("pattern %q made %s: %v, %v", pattern, name, info, err)
				}
			}
			f.Close()
		}
		for _, c := range [][2]string{{dir, "a/b"}, {dir + "/none", "x"}, {dir, "n\x00ul"}} {
			_, got := file.MkdirTemp(c[0], c[1])
			_, want := os.MkdirTemp(c[0], c[1])
			if kind(got) != kind(want) {
				t.Errorf("MkdirTemp(%q, %q): %v, want %v", c[0], c[1], got, want)
			}
			_, got = file.CreateTemp(c[0], c[1])
			_, want = os.CreateTemp(c[0], c[1])
			if kind(got) != kind(want) {
				t.Errorf("CreateTemp(%q, %q): %v, want %v", c[0], c[1], got, want)
			}
		}
	})
}

// kind is an error without the name, which nobody else gets, and an errno's number.
func kind(err error) string {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return "no PathError"
	}
	return p.Op + " " + p.Err.Error() + " " + reflect.TypeOf(p.Err).String()
}

// Renames that replace nothing, that exchange, and from one Root to another.
func TestRenames(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		err := errors.Join(writeFile(dir+"/a", []byte("a"), 0o600), writeFile(dir+"/b", []byte("b"), 0o600),
			makeDirs(dir+"/sub/x", 0o700), makeDir(dir+"/empty", 0o700))
		if err != nil {
			t.Fatal(err)
		}
		sub, err := d.OpenRoot("sub")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		if err := file.RenameWith(dir+"/a", dir+"/b", file.NoReplace); !errors.Is(err, fs.ErrExist) {
			t.Errorf("RenameWith NoReplace: %v", err)
		}
		if err := d.RenameTo("a", d, "b", file.NoReplace); !errors.Is(err, fs.ErrExist) {
			t.Errorf("RenameTo with NoReplace: %v", err)
		}
		if err := file.RenameWith(dir+"/a", dir+"/b", file.Exchange); err != nil {
			t.Errorf("RenameWith Exchange: %v", err)
		}
		if got, _ := readFile(dir + "/a"); string(got) != "b" {
			t.Errorf("after an exchange a holds %q", got)
		}
		if err := d.RenameTo("a", sub, "moved", file.NoReplace); err != nil {
			t.Errorf("RenameTo another Root: %v", err)
		}
		if err := d.RenameTo("b", sub, "../b2", 0); !errors.Is(err, file.ErrEscapes) {
			t.Errorf("RenameTo out of the other Root: %v", err)
		}
		if err := d.Rename("empty", "sub"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Rename to a directory: %v", err)
		}
		if err := d.RenameTo("sub", d, "empty", 0); err != nil {
			t.Errorf("RenameTo an empty directory: %v", err)
		}
		if got, _ := sub.ReadFile("moved"); string(got) != "b" { // a Root is the directory, whatever it is called
			t.Errorf("moved holds %q", got)
		}
		if got := names(t, dir); got != "b empty" {
			t.Errorf("left are %s", got)
		}
	})
}

// What has a mode beyond the permissions is made, in each way in which a file gets its content at once.
func TestWholeFilesOfAMode(t *testing.T) {
	const perm = 0o750 | fs.ModeSetgid
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for what, write := range map[string]func(name string, data []byte, perm fs.FileMode) error{
			"WriteFile": file.WriteFile, "WriteFileAtomic": file.WriteFileAtomic} {
			name := filepath.Join(tempDir(t), "file")
			if err := write(name, nil, perm); err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			info, err := statOf(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != perm {
				t.Errorf("%s: mode %v, want %v", what, info.Mode(), perm)
			}
		}
	})
}
