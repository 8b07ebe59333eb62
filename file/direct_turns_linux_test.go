//go:build linux

package file_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/file"
)

// directFile is a file of n bytes of bytesOf that is open past the page cache.
func directFile(t *testing.T, n int) (f *file.File, content []byte) {
	t.Helper()
	name := filled(t, tempDir(t), n)
	f, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if err != nil {
		t.Skipf("no direct I/O: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	if mem, _ := f.DirectAlign(); mem == 0 {
		t.Skip("no direct I/O")
	}
	return f, bytesOf(n)
}

// A task that does nothing but direct transfers lets the others of its loop have a turn at
// each.
func TestDirectGivesWay(t *testing.T) {
	const size = 4096
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			needDisk(t, tempDir(t))
			f, _ := directFile(t, 64*size)
			turns, over := 0, false
			other := l.Go(func() {
				for !over {
					turns++ // before it sleeps: who was resumed first in a turn may go on before it
					l.Sleep(0)
				}
			})
			p := buf.Aligned(size, 4096)
			calls := map[string]func(i int64) (int, error){
				"ReadAt":   func(i int64) (int, error) { return f.ReadAt(p, i*size) },
				"WriteAt":  func(i int64) (int, error) { return f.WriteAt(p, i*size) },
				"ReadVAt":  func(i int64) (int, error) { return f.ReadVAt([][]byte{p}, i*size) },
				"WriteVAt": func(i int64) (int, error) { return f.WriteVAt([][]byte{p}, i*size) },
				"Read":     func(int64) (int, error) { return f.Read(p) },
			}
			for name, call := range calls {
				for i := range int64(50) {
					before := turns
					if n, err := call(i); n != size || err != nil {
						t.Fatalf("%s = %d, %v", name, n, err)
					}
					if turns == before {
						t.Errorf("%s: the other task had no turn at call %d", name, i)
					}
				}
			}
			over = true
			other.Wait()
		})
	})
}

// A large direct transfer goes in pieces, so that the loop's thread is not held up by the
// pages of all of it, and says what one piece would.
func TestDirectInPieces(t *testing.T) {
	const size, tail = 9<<20 + 512<<10, 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, content := directFile(t, size+tail)
			p := buf.Aligned(12<<20, 4096)
			half := len(p) / 2
			for _, c := range []struct {
				name string
				call func() (int, error)
				n    int
				err  error
			}{
				{"ReadAt", func() (int, error) { return f.ReadAt(p[:size], 0) }, size, nil},
				{"ReadVAt", func() (int, error) {
					return f.ReadVAt([][]byte{p[:4096], p[4096:half], p[half:size]}, 0)
				}, size, nil},
				{"WriteAt", func() (int, error) { return f.WriteAt(p[:size], 0) }, size, nil},
				{"WriteVAt", func() (int, error) { return f.WriteVAt([][]byte{p[:half], p[half:size]}, 0) }, size, nil},
				{"Read over the end", func() (int, error) { return f.Read(p) }, size + tail, nil},
			} {
				if c.name[0] == 'R' {
					clear(p)
				}
				before := l.Stats().Parks
				n, err := c.call()
				if n != c.n || err != c.err {
					t.Errorf("%s = %d, %v, want %d, %v", c.name, n, err, c.n, c.err)
				}
				if !bytes.Equal(p[:min(n, size)], content[:min(n, size)]) {
					t.Errorf("%s: other bytes", c.name)
				}
				if parks := l.Stats().Parks - before; parks < 3 {
					t.Errorf("%s: %d parks for %d bytes, want one for each 4 MiB", c.name, parks, n)
				}
			}
			if at, err := f.Seek(0, io.SeekCurrent); at != size+tail || err != nil {
				t.Errorf("the position is %d, %v, want %d", at, err, size+tail)
			}
		})
	})
}
