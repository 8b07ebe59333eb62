//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ringo"
	"ringo/file"
)

// Where the file system can, CopyFile and Copy share blocks and copy none, until one of the
// two files is changed.
func TestCopyShares(t *testing.T) {
	const size, part = 10 << 20, 64 << 10 // more than one step of a Copy
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			for what, copies := range map[string]func(dst, src string) (int64, error){"CopyFile": file.CopyFile,
				"Copy": copyOpened} {
				src, dst := filled(t, dir, size), filepath.Join(dir, "copy")
				if shared, own := shares(t, src); shared != 0 || own < size {
					t.Fatalf("before %s %d bytes are shared, and %d are not", what, shared, own)
				}
				if n, err := copies(dst, src); n != size || err != nil {
					t.Fatalf("%s = %d, %v", what, n, err)
				}
				for _, name := range []string{src, dst} {
					if shared, own := shares(t, name); shared != size || own != 0 {
						t.Errorf("after %s %d bytes of %s are shared, and %d are not", what, shared,
							filepath.Base(name), own)
					}
				}
				if got, err := readFile(dst); err != nil || !bytes.Equal(got, bytesOf(size)) {
					t.Errorf("%s: the copy has %d bytes, or others: %v", what, len(got), err)
				}
				overwrite(t, dst, part)
				if shared, own := shares(t, dst); shared != size-part || own != part {
					t.Errorf("%s, then %d bytes written: %d are shared, and %d are not", what, part, shared, own)
				}
				if got, err := readFile(src); err != nil || !bytes.Equal(got, bytesOf(size)) {
					t.Errorf("%s: a write to the copy was one to the source: %v", what, err)
				}
				if err := errors.Join(os.Remove(src), os.Remove(dst)); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// copyOpened copies by Copy.
func copyOpened(dst, src string) (n int64, err error) {
	from, err := file.Open(src)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := file.Create(dst)
	if err != nil {
		return 0, err
	}
	n, err = file.Copy(to, from)
	return n, errors.Join(err, to.Close())
}

// overwrite writes n bytes into the middle of a file.
func overwrite(t *testing.T, name string, n int) {
	t.Helper()
	f, err := file.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.WriteAt(bytes.Repeat([]byte("x"), n), 1<<20)
	if err := errors.Join(err, f.Close()); m != n || err != nil {
		t.Fatal(m, err)
	}
}

// CopyFile shares all at once (FICLONE) and asks for no copy, whoever calls.
func TestCopyFileClones(t *testing.T) {
	if dir := os.Getenv("RINGO_CLONES"); dir != "" {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			if n, err := file.CopyFile(filepath.Join(dir, "copy"), filepath.Join(dir, "filled")); n != 100_000 ||
				err != nil {
				t.Errorf("CopyFile = %d, %v", n, err)
			}
			t.Log(cloned)
		})
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("no strace: %v", err)
	}
	eachKind(t, func(t *testing.T, dir string) {
		filled(t, dir, 100_000)
		out := filepath.Join(tempDir(t), "trace")
		cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=ioctl,copy_file_range", "-e", "signal=none", "-o", out,
			os.Args[0], "-test.run", "^TestCopyFileClones$", "-test.v")
		cmd.Env = append(os.Environ(), "RINGO_CLONES="+dir)
		text, err := cmd.CombinedOutput()
		if err != nil {
			if strings.Contains(string(text), "ptrace") || strings.Contains(string(text), "not permitted") {
				t.Skipf("strace: %s", text)
			}
			t.Fatalf("%v: %s", err, text)
		}
		b, err := readFile(out)
		if err != nil {
			t.Fatal(err)
		}
		copies := strings.Count(string(text), cloned)
		clones := bytes.Count(b, []byte("FICLONE")) // after one that fails there is a copy_file_range
		if copies == 0 || clones != copies || strings.Contains(string(b), "copy_file_range") {
			t.Errorf("%d files were copied by the calls\n%s\nwant a FICLONE for each, and no copy_file_range", copies,
				b)
		}
	})
}

// cloned is what the child says for each copy.
const cloned = "copied a file"
