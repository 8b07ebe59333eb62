package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
)

// Copies hold what their source holds, whatever file systems they are on, and holes
// stay holes.
func TestCopyFile(t *testing.T) {
	from := places(t)
	large()
	for place, dir := range places(t) {
		for other, source := range from {
			t.Run(other+" to "+place, func(t *testing.T) {
				eachCaller(t, func(t *testing.T, _ *ringo.Loop) { copies(t, source, dir) })
			})
		}
	}
}

// large takes more than one step to copy.
var large = sync.OnceValue(func() []byte { return bytesOf(9<<20 + 17) })

func copies(t *testing.T, source, dir string) {
	t.Helper()
	for name, make := range map[string]func(f *os.File) error{
		"empty": func(*os.File) error { return nil },
		"small": func(f *os.File) error { _, err := f.WriteString("content"); return err },
		"large": func(f *os.File) error { _, err := f.Write(large()); return err },
		"hole":  func(f *os.File) error { return f.Truncate(64 << 20) },
		"holes": func(f *os.File) error {
			_, err := f.WriteAt([]byte("a"), 0)
			_, err2 := f.WriteAt(bytesOf(10_000), 8<<20)
			return errors.Join(err, err2, f.Truncate(5<<30))
		},
	} {
		src, dst := filepath.Join(source, "copied"), filepath.Join(dir, "copy")
		f, err := os.OpenFile(src, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(make(f), writeFile(dst, []byte("what was there before and is longer than some"),
			0o600), os.Remove(dst)); err != nil {
			t.Fatal(err)
		}
		want, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		n, err := file.CopyFile(dst, src)
		if err != nil || n != want.Size() {
			t.Errorf("%s: CopyFile = %d, %v, want %d", name, n, err, want.Size())
		}
		got, err := statOf(dst)
		if err != nil || got.Size() != want.Size() || got.Mode() != want.Mode() {
			t.Fatalf("%s: the copy is %v, %v, want %v", name, got, err, want)
		}
		info, err := file.Stat(dst)
		if err != nil {
			t.Fatal(err)
		}
		if room := info.(*file.Info).Allocated(); strings.HasPrefix(name, "hole") && room > 1<<20 {
			t.Errorf("%s: the copy takes %d bytes of the disk", name, room)
		}
		sameContent(t, name, f, dst)
		f.Close()
		os.Remove(src)
		os.Remove(dst)
	}
}

// sameContent compares all that may be no hole.
func sameContent(t *testing.T, what string, f *os.File, dst string) {
	t.Helper()
	g, err := os.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < 10<<20; off += int64(len(a)) {
		n, _ := f.ReadAt(a, off)
		m, _ := g.ReadAt(b, off)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			t.Fatalf("%s: the copy differs in the %d bytes at %d", what, n, off)
		}
	}
}

// What has no size of its own is copied, too; and what is no file at all as io.Copy
// would.
func TestCopyWithoutSize(t *testing.T) {
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for _, name := range []string{"/proc/self/limits", "/proc/version",
			"/sys/kernel/mm/transparent_hugepage/enabled"} {
			want, err := readFile(name)
			if err != nil {
				t.Logf("no %s: %v", name, err)
				continue
			}
			os.Remove(dir + "/copy") // has the mode of what was copied, which may be nobody's to write
			n, err := file.CopyFile(dir+"/copy", name)
			got, _ := readFile(dir + "/copy")
			if err != nil || n != int64(len(want)) || !bytes.Equal(got, want) {
				t.Errorf("%s: CopyFile = %d, %v, %q, want %q", name, n, err, got, want)
			}
			if got, err := file.ReadFile(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("ReadFile(%s) = %q, %v", name, got, err)
			}
		}
	})
}

// Copy goes on where the files are, and leaves them behind what it copied, by the
// kernel and by reads and writes.
func TestCopyPositions(t *testing.T) {
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		// to which the kernel doesn't copy
		for what, flag := range map[string]int{"by the kernel": 0, "to the end": os.O_APPEND} {
			if err := errors.Join(writeFile(dir+"/a", []byte("0123456789"), 0o600),
				writeFile(dir+"/b", []byte("abc"), 0o600)); err != nil {
				t.Fatal(err)
			}
			src, err := file.Open(dir + "/a")
			dst, err2 := file.OpenFile(dir+"/b", os.O_RDWR|flag, 0)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			src.Seek(4, io.SeekStart)
			dst.Seek(3, io.SeekStart)
			n, err := file.Copy(dst, src)
			if n != 6 || err != nil {
				t.Errorf("%s: Copy = %d, %v", what, n, err)
			}
			if n, err := file.Copy(dst, src); n != 0 || err != nil {
				t.Errorf("%s: Copy at the end = %d, %v", what, n, err)
			}
			if _, err := dst.WriteString("!"); err != nil {
				t.Error(err)
			}
			if got, _ := readFile(dir + "/b"); string(got) != "abc456789!" {
				t.Errorf("%s: the file holds %q", what, got)
			}
			dst.Seek(0, io.SeekStart)
			if _, err := file.Copy(src, dst); !errors.Is(err, posix.EBADF) {
				t.Errorf("%s: Copy to a file that is open to read: %v", what, err)
			}
			if _, err := file.Copy(dst, dst); !errors.Is(err, posix.EINVAL) {
				t.Errorf("%s: Copy of a file to itself: %v", what, err)
			}
			src.Close()
			dst.Close()
			if _, err := file.Copy(dst, src); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: Copy of closed files: %v", what, err)
			}
		}
		if _, err := file.CopyFile(dir+"/a", dir+"/./a"); err == nil {
			t.Error("CopyFile of a file to itself works")
		}
		if got, _ := readFile(dir + "/a"); string(got) != "0123456789" {
			t.Errorf("it left %q", got)
		}
	})
}

// What copy_file_range refuses is copied by reads and writes, to the same effect.
func TestCopyRefusals(t *testing.T) {
	for _, no := range []posix.Errno{posix.ENOSYS, posix.EXDEV, posix.EINVAL,
		posix.EOPNOTSUPP, posix.EPERM} {
		if !file.RefusesRange(&fs.PathError{Op: "copy_file_range", Path: "x", Err: no}) {
			t.Errorf("after %v no other way is tried", no)
		}
	}
	for _, no := range []posix.Errno{posix.ENOSPC, posix.EFBIG, posix.EDQUOT, posix.ECANCELED} {
		if file.RefusesRange(&fs.PathError{Op: "copy_file_range", Path: "x", Err: no}) {
			t.Errorf("%v is not told", no)
		}
	}
}

// A copy within a file that is open twice ends: to what lies behind it would read what it has written, until the disk
// is full.
func TestCopyOntoItself(t *testing.T) {
	onto := func(t *testing.T, l *ringo.Loop, flag int, from, to int64, want error, holds string) {
		t.Helper()
		name := filepath.Join(tempDir(t), "file")
		if err := writeFile(name, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		dst, err := file.OpenFile(name, os.O_WRONLY|flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer dst.Close()
		src.Seek(from, io.SeekStart)
		dst.Seek(to, io.SeekStart)
		var n int64
		move := func() error {
			n, err = file.Copy(dst, src)
			return err
		}
		switch { // one that does not end is to be ended
		case want == nil:
			err = move()
		case l != nil:
			err = l.WithTimeout(time.Second, move)
		default:
			late := time.AfterFunc(time.Second, func() { src.Close() })
			err = move()
			late.Stop()
		}
		if !errors.Is(err, want) {
			t.Fatalf("Copy from %d to %d, flag %#x = %d, %v, want %v", from, to, flag, n, err, want)
		}
		if got, err := readFile(name); err != nil || !bytes.Equal(got, []byte(holds)) {
			t.Errorf("from %d to %d, flag %#x: the file holds %d bytes, %.20q, %v", from, to, flag, len(got), got, err)
		}
	}
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		onto(t, l, 0, 0, 4, posix.EINVAL, "0123456789")
		onto(t, l, 0, 0, 10, posix.EINVAL, "0123456789")
		onto(t, l, os.O_APPEND, 3, 0, posix.EINVAL, "0123456789")
		onto(t, l, 0, 4, 0, nil, "4567896789")
		onto(t, l, 0, 4, 4, nil, "0123456789")
		onto(t, l, 0, 10, 20, nil, "0123456789")
		onto(t, l, os.O_APPEND, 10, 0, nil, "0123456789")
	})
}

// plant makes some files, directories and links.
func plant(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string]string{"hello": "hello, world", "a/b/c": "deep", "a/empty": "",
		"a/big": string(bytesOf(9_000))} {
		name = filepath.Join(dir, name)
		if err := errors.Join(makeDirs(filepath.Dir(name), 0o700),
			writeFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(symlink("b/c", dir+"/a/link"), symlink("nowhere", dir+"/dangling"),
		file.Chmod(dir+"/hello", 0o750), makeDir(dir+"/none", 0o700)); err != nil {
		t.Fatal(err)
	}
}

// below is what is below a directory: modes, and contents or where links lead.
func below(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		is := info.Mode().String() + " "
		switch d.Type() {
		case 0:
			b, err := readFile(name)
			if err != nil {
				return err
			}
			is += string(b)
		case fs.ModeSymlink:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			is += to
		}
		got[strings.TrimPrefix(name, dir)] = is
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// CopyFS makes what os.CopyFS makes, of whatever fs.FS, with its errors, for each caller.
func TestCopyFS(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		from := tempDir(t)
		plant(t, from)
		d, err := file.OpenRoot(from)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		memory := fstest.MapFS{"x/y": &fstest.MapFile{Data: []byte("y"), Mode: 0o640}}
		for what, fsys := range map[string]fs.FS{"DirFS": file.DirFS(from), "Root.FS": d.FS(),
			"os.DirFS": os.DirFS(from), "memory": memory} {
			theirs, ours := filepath.Join(tempDir(t), "new/dir"), filepath.Join(tempDir(t), "new/dir")
			if err := os.CopyFS(theirs, fsys); err != nil {
				t.Fatal(err)
			}
			if err := file.CopyFS(ours, fsys); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if want, got := below(t, theirs), below(t, ours); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d names, want %d:\n%.2000v\n%.2000v", what, len(got), len(want), got, want)
			}
			wantErr, got := os.CopyFS(ours, fsys), file.CopyFS(ours, fsys) // over what is there
			if !errors.Is(got, fs.ErrExist) || got.Error() != wantErr.Error() {
				t.Errorf("%s, again: %v, want %v", what, got, wantErr)
			}
		}
		beside := tempDir(t)
		if err := errors.Join(writeFile(beside+"/plain", nil, 0o600), symlink(from, beside+"/to"),
			symlink(from+"/a/b", beside+"/deep")); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{beside + "/plain", beside + "/to", beside + "/deep/.."} {
			theirs, ours := filepath.Join(tempDir(t), "x"), filepath.Join(tempDir(t), "x")
			want, got := os.CopyFS(theirs, os.DirFS(dir)), file.CopyFS(ours, file.DirFS(dir))
			if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
				t.Errorf("of %s: %v, want %v", dir, got, want)
			}
			_, made := os.Lstat(theirs)
			if _, err := os.Lstat(ours); (err == nil) != (made == nil) {
				t.Errorf("of %s, what it made: %v, want %v", dir, err, made)
			} else if err == nil && !reflect.DeepEqual(below(t, ours), below(t, theirs)) {
				t.Errorf("of %s: %q, want %q", dir, slices.Sorted(maps.Keys(below(t, ours))),
					slices.Sorted(maps.Keys(below(t, theirs))))
			}
		}
		// To where a link leads, and not to what its name without that would be.
		for what, copy := range map[string]func(string, fs.FS) error{"os": os.CopyFS, "file": file.CopyFS} {
			base := tempDir(t)
			if err := errors.Join(makeDirs(base+"/a/b", 0o700), symlink("a/b", base+"/to"),
				copy(base+"/to/..", memory)); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(base + "/a/x/y"); err != nil {
				t.Errorf("%s: to the folder above a link's target: %v", what, err)
			}
		}
		if err := file.Mkfifo(from+"/fifo", 0o600); err != nil {
			t.Fatal(err)
		}
		want := os.CopyFS(filepath.Join(tempDir(t), "x"), os.DirFS(from))
		got := file.CopyFS(filepath.Join(tempDir(t), "x"), file.DirFS(from))
		if !errors.Is(got, fs.ErrInvalid) || got.Error() != want.Error() {
			t.Errorf("with a FIFO: %v, want %v", got, want)
		}
		if l == nil {
			return
		}
		task := l.Go(func() {
			l.Sleep(0) // is cancelled
			to := filepath.Join(tempDir(t), "x")
			if err := file.CopyFS(to, file.DirFS(from)); !errors.Is(err, context.Canceled) {
				t.Errorf("in a cancelled task: %v", err)
			}
		})
		task.Cancel()
		task.Wait()
	})
}

// DirFS does what an fs.FS has to, says what os.DirFS says, and follows links out.
func TestDirFS(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base := tempDir(t)
		dir := filepath.Join(base, "dir")
		plant(t, dir)
		if err := errors.Join(os.Remove(dir+"/dangling"), writeFile(base+"/beside", []byte("beside"), 0o600),
			symlink("../beside", dir+"/out")); err != nil {
			t.Fatal(err)
		}
		ours := file.DirFS(dir)
		if err := fstest.TestFS(ours, "hello", "a/b/c", "a/empty", "a/big", "a/link", "out", "none"); err != nil {
			t.Error(err)
		}
		if b, err := fs.ReadFile(ours, "out"); string(b) != "beside" || err != nil {
			t.Errorf("a link that leads out: %q, %v", b, err)
		}
		if err := errors.Join(symlink("dir/a/b", base+"/to"), symlink("beside", base+"/toPlain")); err != nil {
			t.Fatal(err)
		}
		for _, root := range []string{"", base + "/none", dir, dir + "/", base + "/to", base + "/to/", base + "/to/..",
			base + "/beside", base + "/beside/", base + "/toPlain"} {
			ours, theirs := file.DirFS(root), os.DirFS(root)
			for _, name := range []string{"missing", "../beside", "/hello", "", "hello/x", "a", "a/", "a\x00", ".",
				"..", "hello", "c", "b"} {
				for what, call := range asksOfFS {
					gave, got := call(ours, name)
					want, wantErr := call(theirs, name)
					if gave != want || (got == nil) != (wantErr == nil) {
						t.Errorf("%s of %q in %q: %q, %v, want %q, %v", what, name, root, gave, got, want, wantErr)
					}
					for _, is := range []error{fs.ErrNotExist, fs.ErrInvalid, syscall.ENOTDIR, syscall.EISDIR,
						syscall.EINVAL} {
						if errors.Is(got, is) != errors.Is(wantErr, is) {
							t.Errorf("%s of %q in %q: %v, want %v", what, name, root, got, wantErr)
						}
					}
					var path *fs.PathError
					if got != nil && (!errors.As(got, &path) || path.Path != name) {
						t.Errorf("%s of %q: %v, which does not name it", what, name, got)
					}
				}
			}
		}
	})
}

// asksOfFS are the calls on a name in an fs.FS, and what of their results package os and package file have in common.
var asksOfFS = map[string]func(f fs.FS, name string) (string, error){
	"Open": func(f fs.FS, name string) (string, error) {
		g, err := f.Open(name)
		if err != nil {
			return "", err
		}
		defer g.Close()
		info, err := g.Stat()
		return g.(interface{ Name() string }).Name() + " " + shown(info, err), err
	},
	"ReadFile": func(f fs.FS, name string) (string, error) { b, err := fs.ReadFile(f, name); return string(b), err },
	"ReadDir": func(f fs.FS, name string) (said string, err error) {
		entries, err := fs.ReadDir(f, name)
		for _, e := range entries {
			said += fs.FormatDirEntry(e) + "\n"
		}
		return said, err
	},
	"Stat":     func(f fs.FS, name string) (string, error) { i, err := fs.Stat(f, name); return shown(i, err), err },
	"Lstat":    func(f fs.FS, name string) (string, error) { i, err := fs.Lstat(f, name); return shown(i, err), err },
	"ReadLink": fs.ReadLink,
}

func shown(i fs.FileInfo, err error) string {
	if err != nil {
		return ""
	}
	return fs.FormatFileInfo(i)
}

// OpenInRoot opens what is in the directory and nothing else, as os.OpenInRoot.
func TestOpenInRoot(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base := tempDir(t)
		dir := filepath.Join(base, "dir")
		plant(t, dir)
		if err := errors.Join(writeFile(base+"/beside", []byte("beside"), 0o600),
			symlink("../beside", dir+"/out")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"hello", "a/link", "out", "../beside", "missing", "/etc/passwd", ""} {
			want, wantErr := os.OpenInRoot(dir, name)
			got, err := file.OpenInRoot(dir, name)
			if (err == nil) != (wantErr == nil) || err != nil && errors.Is(err, fs.ErrNotExist) !=
				errors.Is(wantErr, fs.ErrNotExist) {
				t.Errorf("%q: %v, want %v", name, err, wantErr)
			}
			if wantErr == nil {
				want.Close()
			}
			if err != nil {
				continue
			}
			if _, err := got.Stat(); err != nil { // though the directory was closed
				t.Errorf("%q: %v", name, err)
			}
			got.Close()
		}
		if _, err := file.OpenInRoot(base+"/none", "x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("in no directory: %v", err)
		}
	})
}

// goOn has f called again and again, for longer and shorter moments that grow, until it says that it is done. What ends
// it in between is the timeout alone.
func goOn(t *testing.T, l *ringo.Loop, f func() (done bool, err error)) {
	t.Helper()
	for i := 0; ; i++ {
		done := false
		err := l.WithTimeout(time.Duration(i%64*(i/16+4))*time.Microsecond, func() (err error) {
			done, err = f()
			return err
		})
		switch {
		case done:
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		}
	}
}

// A task whose Copy was ended by a timeout goes on by another, and nothing is missing: what was read is written, or is
// there to be read.
func TestCopyGoesOn(t *testing.T) {
	want := bytesOf(1<<20 + 77)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			dir := tempDir(t)
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			if err := writeFile(from, want, 0o600); err != nil {
				t.Fatal(err)
			}
			open := func(name string, flag int) *file.File {
				f, err := file.OpenFile(name, flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			pipe := func() (r, w *file.File) {
				r, w, err := file.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				return r, w
			}
			moved := func(what string, dst, src *file.File) {
				sum := int64(0)
				goOn(t, l, func() (bool, error) {
					n, err := file.Copy(dst, src)
					sum += n
					return err == nil, err
				})
				if sum != int64(len(want)) {
					t.Errorf("%s: %d bytes of %d were copied", what, sum, len(want))
				}
				dst.Close()
				src.Close()
			}
			holds := func(what string) {
				if got, err := readFile(to); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: the copy has %d bytes of %d, and differs, %v", what, len(got), len(want), err)
				}
			}
			// The kernel copies to no file that is open to append.
			moved("to append", open(to, os.O_WRONLY|os.O_CREATE|os.O_APPEND), open(from, os.O_RDONLY))
			holds("to append")

			r, w := pipe()
			wrote := l.Go(func() {
				w.Write(want)
				w.Close()
			})
			moved("from a pipe", open(to, os.O_WRONLY|os.O_TRUNC), r)
			wrote.Wait()
			holds("from a pipe")

			r, w = pipe()
			var got []byte
			read := l.Go(func() { got, _ = io.ReadAll(r) })
			moved("to a pipe", w, open(from, os.O_RDONLY))
			read.Wait()
			r.Close()
			if !bytes.Equal(got, want) {
				t.Errorf("to a pipe: the copy has %d bytes of %d, and differs", len(got), len(want))
			}
		})
	})
}

// A task whose Readdir was ended by a timeout goes on by another, and no entry is missing.
func TestReaddirGoesOn(t *testing.T) {
	const files = 300
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			dir := tempDir(t)
			for i := range files {
				if err := writeFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := file.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			seen := map[string]int{}
			goOn(t, l, func() (bool, error) {
				infos, err := f.Readdir(16)
				for _, info := range infos {
					seen[info.Name()]++
				}
				return errors.Is(err, io.EOF), err
			})
			for i := range files {
				if n := seen[strconv.Itoa(i)]; n != 1 {
					t.Errorf("file %d was given %d times", i, n)
				}
			}
		})
	})
}
