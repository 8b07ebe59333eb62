package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"ringo"
	"ringo/file"
)

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
		os.Chmod(dir+"/hello", 0o750), makeDir(dir+"/none", 0o700)); err != nil {
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
		d, err := file.OpenDir(from)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		memory := fstest.MapFS{"x/y": &fstest.MapFile{Data: []byte("y"), Mode: 0o640}}
		for what, fsys := range map[string]fs.FS{"DirFS": file.DirFS(from), "Dir.FS": d.FS(),
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
		ours, theirs := file.DirFS(dir), os.DirFS(dir)
		if err := fstest.TestFS(ours, "hello", "a/b/c", "a/empty", "a/big", "a/link", "out", "none"); err != nil {
			t.Error(err)
		}
		if b, err := fs.ReadFile(ours, "out"); string(b) != "beside" || err != nil {
			t.Errorf("a link that leads out: %q, %v", b, err)
		}
		for _, pair := range [][2]fs.FS{{ours, theirs}, {file.DirFS(""), os.DirFS("")},
			{file.DirFS(base + "/none"), os.DirFS(base + "/none")}} {
			for _, name := range []string{"missing", "../beside", "/hello", "", "hello/x", "a", "a/", "a\x00"} {
				for what, call := range map[string]func(fs.FS) error{
					"Open": func(f fs.FS) error {
						g, err := f.Open(name)
						if err == nil {
							g.Close()
						}
						return err
					},
					"ReadFile": func(f fs.FS) error { _, err := fs.ReadFile(f, name); return err },
					"ReadDir":  func(f fs.FS) error { _, err := fs.ReadDir(f, name); return err },
					"Stat":     func(f fs.FS) error { _, err := fs.Stat(f, name); return err },
					"Lstat":    func(f fs.FS) error { _, err := fs.Lstat(f, name); return err },
					"ReadLink": func(f fs.FS) error { _, err := fs.ReadLink(f, name); return err },
				} {
					got, want := call(pair[0]), call(pair[1])
					if (got == nil) != (want == nil) {
						t.Errorf("%s of %q: %v, want %v", what, name, got, want)
					}
					for _, is := range []error{fs.ErrNotExist, fs.ErrInvalid, syscall.ENOTDIR, syscall.EISDIR} {
						if errors.Is(got, is) != errors.Is(want, is) {
							t.Errorf("%s of %q: %v, want %v", what, name, got, want)
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
