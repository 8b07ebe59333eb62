//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
)

// Streams of real files, past the page cache and by way of it: from an odd offset, to an odd end.
func TestStreamFiles(t *testing.T) {
	want := pattern(1<<20 + 12345)
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for _, flag := range []int{0, file.Direct} {
			name := filepath.Join(dir, fmt.Sprint("f", flag))
			f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|flag, 0o600)
			if err != nil {
				t.Fatalf("flag %#x: %v", flag, err)
			}
			if mem, off := f.DirectAlign(); flag != 0 && (mem <= 0 || off <= 0 || 4096%mem != 0 || 4096%off != 0) {
				t.Fatalf("DirectAlign = %d, %d", mem, off)
			}
			cfg := &file.StreamConfig{Depth: 3, Size: 64 << 10}
			w := mustWriter(t, f, cfg)
			half := len(want) / 2
			if _, err := w.Write(want[:half]); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil || w.Written() != int64(half) {
				t.Fatalf("flag %#x: Flush: %v, written up to %d", flag, err, w.Written())
			}
			if got, err := readFile(name); err != nil || !bytes.Equal(got, want[:half]) {
				t.Fatalf("flag %#x: after Flush the file has %d bytes, %v, want %d", flag, len(got), err, half)
			}
			if n, err := io.Copy(w, bytes.NewReader(want[half:])); err != nil || n != int64(len(want)-half) {
				t.Fatalf("flag %#x: Copy: %d, %v", flag, n, err)
			}
			if err := w.Close(); err != nil {
				t.Fatalf("flag %#x: Close: %v", flag, err)
			}
			r := mustReaderAt(t, f, 4567, cfg)
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want[4567:]) {
				t.Fatalf("flag %#x: read %d bytes, %v, want %d", flag, len(got), err, len(want)-4567)
			}
			r.Close()
			f.Close()
		}
	})
}

// channel is a stream-like file with both its ends: what is written to w can be read from r.
type channel struct {
	name string
	size int // of a block: more than the kernel takes at once
	open func(t *testing.T) (r *os.File, w *file.File)
}

var channels = []channel{
	{"pipe", 200_000, func(t *testing.T) (*os.File, *file.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		f, err := file.Adopt(w)
		if err != nil {
			t.Fatal(err)
		}
		return r, f
	}},
	{"FIFO", 200_000, func(t *testing.T) (*os.File, *file.File) {
		name := fifo(t)
		r, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := file.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}},
	{"pty", 30_000, openPty},
}

// openPty opens a terminal that changes no byte, and its other end.
func openPty(t *testing.T) (*os.File, *file.File) {
	t.Helper()
	r, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudoterminals: %v", err)
	}
	n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(r.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(int(r.Fd()), true); err != nil { // Fd has made it blocking
		t.Fatal(err)
	}
	w, err := file.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudoterminals: %v", err)
	}
	mode := unix.Termios{Cflag: unix.CS8 | unix.CREAD} // raw: no echo, no lines, no signals, no output processing
	if err := unix.IoctlSetTermios(int(w.Fd()), unix.TCSETS, &mode); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// writes are the ways to write one block.
var writes = map[string]func(w *file.File, block []byte) error{
	"Write":       func(w *file.File, block []byte) error { _, err := w.Write(block); return err },
	"WriteString": func(w *file.File, block []byte) error { _, err := w.WriteString(string(block)); return err },
	"RawConn":     writeRaw,
}

// writeRaw writes a block in pieces by a RawConn, which has the direction for itself as that of os does.
func writeRaw(w *file.File, block []byte) error {
	raw, err := w.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for len(block) > 0 {
			n, err := unix.Write(int(fd), block)
			if err == unix.EAGAIN {
				return false
			}
			if err != nil && err != unix.EINTR {
				failed = err
				return true
			}
			block = block[max(n, 0):]
		}
		return true
	})
	return errors.Join(err, failed)
}

// What several write at once to a pipe, a FIFO or a terminal comes out in whole blocks, whoever they are and however
// they write, though the kernel takes only a part of a block at a time.
func TestStreamWritesWhole(t *testing.T) {
	for _, c := range channels {
		for how, write := range writes {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				eachDriver(t, func(t *testing.T, cfg ringo.Config) { writeTogether(t, cfg, c, write) })
			})
		}
	}
}

func writeTogether(t *testing.T, cfg ringo.Config, c channel, write func(w *file.File, block []byte) error) {
	const blocks = 6
	r, w := c.open(t)
	defer r.Close()
	defer w.Close()
	var done sync.WaitGroup
	var writers byte
	writer := func() func() { // numbers its blocks by who writes them
		done.Add(1)
		writers++
		block := bytes.Repeat([]byte{writers}, c.size)
		return func() {
			defer done.Done()
			for range blocks {
				if err := write(w, block); err != nil {
					t.Error(err)
				}
			}
		}
	}
	byLoop := [2][]func(){{writer(), writer()}, {writer(), writer()}}
	iterators := [2]func(){writer(), writer()}
	var joins []func()
	for range 3 {
		joins = append(joins, begin(nil, writer()))
	}
	joins = append(joins, begin(nil, func() {
		got, count := make([]byte, c.size), map[byte]int{}
		for range blocks * int(writers) {
			if _, err := io.ReadFull(r, got); err != nil {
				t.Error(err)
				return
			}
			wantOne(t, got)
			count[got[0]]++
		}
		for i := range writers {
			if count[i+1] != blocks {
				t.Errorf("%d blocks of writer %d, want %d", count[i+1], i+1, blocks)
			}
		}
	}))
	cfg.Loops = 2
	var loops atomic.Int32
	patience.Within(t.Name(), func() {
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			i := loops.Add(1) - 1
			for _, f := range byLoop[i] {
				l.Go(f)
			}
			l.Go(func() { inIterator(iterators[i]) })
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for _, join := range joins {
			join()
		}
		done.Wait()
	})
}

// wantOne checks that all bytes of a block are the same.
func wantOne(t *testing.T, block []byte) {
	t.Helper()
	for i, b := range block {
		if b != block[0] {
			t.Errorf("writer %d's block has bytes of writer %d's from %d on", block[0], b, i)
			return
		}
	}
}

// Who reads a record in several steps by a RawConn has the direction for itself, and so has who reads beside.
func TestStreamReadsWhole(t *testing.T) {
	const size, records, readers = 100_000, 5, 8
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r, g, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		f, err := file.Adopt(r)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		read := func() {
			raw, err := f.SyscallConn()
			if err != nil {
				t.Error(err)
				return
			}
			for range records {
				got, n := make([]byte, size), 0
				if err := raw.Read(func(fd uintptr) bool {
					for n < size {
						m, err := unix.Read(int(fd), got[n:])
						if err == unix.EAGAIN {
							return false
						}
						if m <= 0 && err != unix.EINTR {
							t.Errorf("read(2) = %d, %v", m, err)
							return true
						}
						n += max(m, 0)
					}
					return true
				}); err != nil {
					t.Error(err)
				}
				wantOne(t, got)
			}
		}
		joins := []func(){begin(nil, read), begin(nil, read), begin(nil, func() {
			for i := range readers * records {
				if _, err := g.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Error(err)
				}
			}
		})}
		cfg.Loops = 2
		patience.Within(t.Name(), func() {
			err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				l.Go(read)
				l.Go(read)
				l.Go(func() { inIterator(read) })
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for _, join := range joins {
				join()
			}
		})
	})
}

// Who writes first is read first, also where all have to wait.
func TestStreamWriteTurns(t *testing.T) {
	const callers = 8
	for _, c := range channels {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					r, w := c.open(t)
					defer r.Close()
					defer w.Close()
					var tasks []*ringo.Task
					for i := range callers {
						write := func() {
							if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, c.size)); err != nil {
								t.Error(err)
							}
						}
						if i%2 == 0 {
							tasks = append(tasks, l.Go(write))
						} else {
							tasks = append(tasks, l.Go(func() { inIterator(write) }))
						}
					}
					join := begin(nil, func() {
						got := make([]byte, c.size)
						for i := range callers {
							if _, err := io.ReadFull(r, got); err != nil {
								t.Error(err)
								return
							}
							if got[0] != byte(i) || got[c.size-1] != byte(i) {
								t.Errorf("block %d is of %d and %d", i, got[0], got[c.size-1])
							}
						}
					})
					for _, task := range tasks {
						task.Wait()
					}
					join()
				})
			})
		})
	}
}

// Who waits for its turn is let go by a cancel, with nothing written, and by Close.
func TestStreamTurnEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			r, w, err := file.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			block := make([]byte, 1<<20)
			write := func(want error) func() {
				return func() {
					n, err := w.Write(block)
					if n == len(block) || !errors.Is(err, want) {
						t.Errorf("Write = %d, %v, want %v", n, err, want)
					}
					if n != 0 && want == context.Canceled {
						t.Errorf("%d bytes were written out of turn", n)
					}
				}
			}
			joins := []func(){begin(l, write(fs.ErrClosed))}
			untilFull(t, l, w)
			queued := write(context.Canceled)
			cancelled := []*ringo.Task{l.Go(queued), l.Go(func() { inIterator(queued) })}
			for _, by := range []*ringo.Loop{l, nil, nil} {
				joins = append(joins, begin(by, write(fs.ErrClosed)))
			}
			l.Sleep(0)
			for _, task := range cancelled {
				task.Cancel()
				task.Wait()
			}
			p := make([]byte, 1<<20)
			if n, err := r.Read(p); n == 0 || err != nil { // so there is room again
				t.Errorf("Read = %d, %v", n, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			for _, join := range joins {
				join()
			}
		})
	})
}
