package file_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
