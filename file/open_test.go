package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ringo"
	"ringo/file"
)

// bytesOf is n bytes in which no two places look the same.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16 ^ i>>8*31 ^ i*7)
	}
	return b
}

// Failed opens give os's errors, to the letter.
func TestOpenErrors(t *testing.T) {
	dir := tempDir(t)
	there := filepath.Join(dir, "there")
	if err := writeFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, name string
		flag       int
	}{
		{"nothing there", filepath.Join(dir, "none"), os.O_RDONLY},
		{"exclusive", there, os.O_RDWR | os.O_CREATE | os.O_EXCL},
		{"a directory to write", dir, os.O_RDWR},
		{"below a file", filepath.Join(there, "x"), os.O_RDONLY},
		{"a NUL in the name", "a\x00b", os.O_RDONLY},
		{"no name", "", os.O_RDONLY},
		{"a long name", filepath.Join(dir, strings.Repeat("x", 300)), os.O_RDONLY},
	} {
		t.Run(c.what, func(t *testing.T) {
			g, want := os.OpenFile(c.name, c.flag, 0o600)
			if want == nil {
				g.Close()
				t.Fatal("os opens it")
			}
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				f, err := file.OpenFile(c.name, c.flag, 0o600)
				if err == nil {
					f.Close()
				}
				if !reflect.DeepEqual(err, want) {
					t.Errorf("OpenFile: %#v, want %#v", err, want)
				}
			})
		})
	}
}

// A Root's FS does what an fs.FS has to, for each caller.
func TestFS(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		plant(t, dir)
		if err := file.Remove(dir + "/dangling"); err != nil {
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

// WalkDir sees what filepath.WalkDir sees, and is led by what the function gives.
func TestWalk(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
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
			if got := file.WalkDir(dir, into(1)); !errors.Is(got, want) || !slices.Equal(lists[0], lists[1]) {
				t.Errorf("%s: Walk = %v\n%q, want %v\n%q", what, got, lists[1], want, lists[0])
			}
			if what == "skips the root" {
				continue // which has another name
			}
			if got := d.WalkDir(".", into(2)); !errors.Is(got, want) || !slices.Equal(lists[0], lists[2]) {
				t.Errorf("%s: Root.WalkDir = %v\n%q, want %v\n%q", what, got, lists[2], want, lists[0])
			}
		}
		var failed error
		err := file.WalkDir(dir+"/none", func(_ string, _ fs.DirEntry, err error) error {
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
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
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
			b, err2 := file.Lstat(filepath.Join(dir, want[i].Name()))
			if got[i].Name() != want[i].Name() || got[i].Type() != want[i].Type() || err != nil ||
				err2 != nil || !file.SameFile(a, b) {
				t.Fatalf("entry %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestLock(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "file")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		ctx, whole, part := t.Context(), file.Range{}, file.Range{Off: 10, Len: 5}
		want := func(what string, f *file.File, r file.Range, shared, want bool) {
			t.Helper()
			try := f.TryLock
			if shared {
				try = f.TryRLock
			}
			if ok, err := try(r); ok != want || err != nil {
				t.Errorf("%s: TryLock = %v, %v, want %v", what, ok, err, want)
			}
		}
		if err := f.Lock(ctx, part); err != nil {
			t.Fatal(err)
		}
		want("another's part", g, part, true, false)
		want("with another's part", g, whole, false, false)
		want("beside it", g, file.Range{Off: 15}, false, true)
		want("its own", f, part, true, true)
		want("shared by both", g, part, true, true)
		for _, f := range []*file.File{f, g} {
			if err := f.Unlock(whole); err != nil {
				t.Errorf("Unlock: %v", err)
			}
		}

		// Lock waits for who has it, and no longer than its context.
		if err := f.Lock(ctx, whole); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if err := g.RLock(short, part); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock of another's: %v, want DeadlineExceeded", err)
		}
		held := true
		join := begin(l, func() {
			if err := g.RLock(ctx, part); err != nil || held {
				t.Errorf("Lock = %v, and it was held: %v", err, held)
			}
			g.Unlock(whole)
		})
		pause(l)
		held = false
		if err := f.Unlock(whole); err != nil {
			t.Error(err)
		}
		join()
	})
}

// A File or a Root that nobody opened has no descriptor: above all not 0, which is
// somebody else's.
func TestZeroValues(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for name, f := range map[string]*file.File{"nil": nil, "zero": new(file.File)} {
			invalid := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("%s File: %s: %v, want fs.ErrInvalid", name, what, err)
				}
			}
			p := make([]byte, 1)
			_, err := f.Read(p)
			invalid("Read", err)
			_, err = f.ReadAt(p, 0)
			invalid("ReadAt", err)
			_, err = f.Write(p)
			invalid("Write", err)
			_, err = f.WriteAt(p, 0)
			invalid("WriteAt", err)
			_, err = f.Seek(0, 0)
			invalid("Seek", err)
			_, err = f.ReadFrom(strings.NewReader("x"))
			invalid("ReadFrom", err)
			_, err = f.WriteTo(io.Discard)
			invalid("WriteTo", err)
			_, err = file.Copy(f, f)
			invalid("Copy", err)
			_, err = file.Copy(f, new(file.File))
			invalid("Copy from a zero File", err)
			invalid("ReadRanges", f.ReadRanges(nil))
			_, err = f.Stat()
			invalid("Stat", err)
			_, err = f.SyscallConn()
			invalid("SyscallConn", err)
			_, err = file.NewReader(f, nil)
			invalid("NewReader", err)
			_, err = file.NewWriter(f, nil)
			invalid("NewWriter", err)
			invalid("Sync", f.Sync())
			invalid("Truncate", f.Truncate(0))
			invalid("Close", f.Close())
			invalid("second Close", f.Close())
			if fd := f.Fd(); fd != ^uintptr(0) {
				t.Errorf("%s File: Fd: %d, want none", name, int(fd))
			}
		}
		if _, err := file.NewReader(nil, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("NewReader of nil: %v, want fs.ErrInvalid", err)
		}
		var d file.Root
		_, opened := d.Open("x")
		for what, err := range map[string]error{"Open": opened, "Sync": d.Sync(),
			"Remove": d.Remove("x"), "Close": d.Close()} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("zero Root: %s: %v, want fs.ErrInvalid", what, err)
			}
		}
	})
}
