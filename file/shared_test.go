package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/loop"
)

// handOut are the ways in which a program gets at the descriptor of a File.
var handOut = map[string]func(f *file.File, use func(fd uintptr)) error{
	"Fd": func(f *file.File, use func(fd uintptr)) error { use(f.Fd()); return nil },
	"Control": func(f *file.File, use func(fd uintptr)) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(use)
	},
	"Read": func(f *file.File, use func(fd uintptr)) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Read(func(fd uintptr) bool { use(fd); return true })
	},
}

// second opens no file: it is a File of another descriptor of f's.
func second(t *testing.T, f *file.File, way func(f *file.File, use func(fd uintptr)) error) (g *file.File) {
	t.Helper()
	if err := way(f, func(fd uintptr) {
		n := loop.Kernel().Dup(int32(fd))
		if n < 0 {
			t.Fatalf("dup: %d", n)
		}
		g = file.NewFile(uintptr(n), f.Name())
	}); err != nil {
		t.Fatal(err)
	}
	return g
}

// openers open a file for reading and writing, each in a way of its own.
var openers = map[string]func(dir, name string) (*file.File, error){
	"OpenFile": func(dir, name string) (*file.File, error) {
		return file.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	},
	"Root.OpenFile": func(dir, name string) (*file.File, error) {
		d, err := file.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	},
	"Root.Temp": func(dir, _ string) (*file.File, error) {
		d, err := file.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.Temp(0o600)
	},
}

// Two descriptors of one open file share its position: nothing that is written by one is overwritten by the other, and
// nothing is read twice, also where nothing of the file is in memory. Where a write or a read is short, the two may be
// mixed: so it is bytes that are counted.
func TestSharedPosition(t *testing.T) {
	const calls, size = 50, 10
	dir := tempDir(t)
	know(t, dir, file.Cold, nil)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		n := 0
		for opener, open := range openers {
			for way, get := range handOut {
				n++
				f, err := open(dir, fmt.Sprint(n))
				if errors.Is(err, errors.ErrUnsupported) {
					continue // no O_TMPFILE
				}
				if err != nil {
					t.Fatal(err)
				}
				g := second(t, f, get)
				both := func(use func(f *file.File, who string)) {
					join := begin(l, func() { use(g, "g") })
					use(f, "f")
					join()
				}
				both(func(f *file.File, who string) {
					for range calls {
						if _, err := f.WriteString(strings.Repeat(who, size)); err != nil {
							t.Error(err)
						}
					}
				})
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
				var fs, gs, zeros atomic.Int64
				both(func(f *file.File, _ string) {
					p := make([]byte, size)
					for {
						n, err := f.Read(p)
						fs.Add(int64(bytes.Count(p[:n], []byte("f"))))
						gs.Add(int64(bytes.Count(p[:n], []byte("g"))))
						zeros.Add(int64(bytes.Count(p[:n], []byte{0})))
						if err != nil {
							if err != io.EOF {
								t.Error(err)
							}
							return
						}
					}
				})
				got, want := [3]int64{fs.Load(), gs.Load(), zeros.Load()}, [3]int64{calls * size, calls * size, 0}
				if got != want {
					t.Errorf("%s, %s: read %d bytes of the one, of the other and of nobody, want %d", opener, way, got,
						want)
				}
				if err := errors.Join(f.Close(), g.Close()); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// Who is given a descriptor while a write at the position is under way writes behind that.
func TestSharedUnderWay(t *testing.T) {
	dir := tempDir(t)
	know(t, dir, file.Cold, nil)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for way, get := range handOut {
			f, err := file.Create(filepath.Join(dir, way))
			if err != nil {
				t.Fatal(err)
			}
			first, then := strings.Repeat("f", 1<<18), strings.Repeat("g", 1000)
			join := begin(l, func() {
				if _, err := f.WriteString(first); err != nil {
					t.Error(err)
				}
			})
			begin(l, func() { // right behind, where the two are tasks
				g := second(t, f, get)
				if _, err := g.WriteString(then); err != nil {
					t.Error(err)
				}
				g.Close()
			})()
			join()
			if info, err := f.Stat(); err != nil || info.Size() != int64(len(first)+len(then)) {
				t.Errorf("%s: %v, %v, want %d bytes", way, info, err, len(first)+len(then))
			}
			f.Close()
		}
	})
}
