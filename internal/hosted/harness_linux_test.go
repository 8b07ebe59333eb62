//go:build linux

package hosted

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/mask"
	"ringo/internal/op"
	"ringo/internal/test/patience"
	"ringo/internal/test/uringtest"
)

// open makes rings for a test, which skips where io_uring is refused.
func open(t testing.TB, cfg Config) *Rings {
	t.Helper()
	h, err := Open(cfg)
	if uringtest.Refused(err) {
		t.Skip("no io_uring here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// onRing has each op go by the ring, also if there are few.
const onRing = -1

const block = 4096

// disk is a file that tests read: each eight bytes are their own place.
type disk struct {
	*os.File
	fd   fd.FD
	size int64
}

func newDisk(t testing.TB, size int64, flags int) *disk {
	t.Helper()
	return reopen(t, makeFile(t, size), size, flags)
}

func makeFile(t testing.TB, size int64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(p)) {
		fill(p, off)
		if _, err := f.Write(p[:min(int64(len(p)), size-off)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func reopen(t testing.TB, name string, size int64, flags int) *disk {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|flags, 0)
	if err != nil {
		if flags&unix.O_DIRECT != 0 && errors.Is(err, syscall.EINVAL) {
			t.Skip("no O_DIRECT in", t.TempDir())
		}
		t.Fatal(err)
	}
	d := &disk{File: f, size: size}
	d.fd.Init(int32(f.Fd()))
	t.Cleanup(func() { f.Close() })
	return d
}

func fill(p []byte, off int64) {
	for i := 0; i+8 <= len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(off)+uint64(i))
	}
}

// wrong is the first place in p, which was read at off, that is not what fill wrote; -1
// if there is none.
func wrong(p []byte, off int64) int {
	for i := 0; i+8 <= len(p); i += 8 {
		if binary.LittleEndian.Uint64(p[i:]) != uint64(off)+uint64(i) {
			return i
		}
	}
	return -1
}

// drop takes the file out of the page cache.
func (d *disk) drop(t testing.TB) {
	t.Helper()
	if err := unix.Fadvise(int(d.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// check reads once and compares.
func (d *disk) check(t testing.TB, h *Rings, p []byte, off int64) {
	t.Helper()
	for done := 0; done < len(p); {
		res, ok := h.Do(context.Background(), &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p[done:], Off: off + int64(done)})
		if !ok || res <= 0 {
			t.Errorf("read of %d at %d: %d, %v", len(p)-done, off+int64(done), res, ok)
			return
		}
		done += int(res)
	}
	if at := wrong(p, off); at >= 0 {
		t.Errorf("read of %d at %d: byte %d is wrong", len(p), off, at)
	}
}

// pipe is one that is empty: a read of it is under way until somebody writes.
type pipe struct {
	r, w int
	fd   fd.FD
}

func newPipe(t testing.TB) *pipe {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	p := &pipe{r: ends[0], w: ends[1]}
	p.fd.Init(int32(p.r))
	t.Cleanup(func() { unix.Close(p.r); unix.Close(p.w) })
	return p
}

func (p *pipe) write(t testing.TB, s string) {
	t.Helper()
	if _, err := unix.Write(p.w, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// answer is what a Do gave.
type answer struct {
	res int32
	ok  bool
}

// read starts a read of the pipe.
func (p *pipe) read(ctx context.Context, h *Rings, buf []byte) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		res, ok := h.Do(ctx, &op.Op{Code: op.ReadAt, FD: &p.fd, Buf: buf, Off: -1})
		got <- answer{res, ok}
	}()
	return got
}

// until waits for a condition that others bring about.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("not in 20 s:", what)
		}
	}
}

// inFlight waits until n ops have been given to the kernel.
func inFlight(t testing.TB, h *Rings, n uint64) {
	t.Helper()
	until(t, "ops given to the kernel", func() bool { return h.Info().Stats.Submitted >= n })
}

// stats counts up once nobody leads: a call is counted after what it has submitted may
// have ended.
func stats(t testing.TB, h *Rings) Stats {
	t.Helper()
	h.each(func(r *ring) {
		until(t, "nobody leads", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return !r.led
		})
	})
	return h.Info().Stats
}

func want(t testing.TB, got <-chan answer, res int32, ok bool) {
	t.Helper()
	if a := patience.Recv(t, "an answer", got); a.res != res || a.ok != ok {
		t.Errorf("got %d, %v, want %d, %v", a.res, a.ok, res, ok)
	}
}

// together runs f in n goroutines.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// eachKernel runs f for this kernel and for older ones that it plays.
func eachKernel(t *testing.T, f func(t *testing.T, m *mask.Mask)) {
	for _, spec := range []string{"", "kernel=6.1", "kernel=5.15", "kernel=5.10", "submit_all"} {
		name := spec
		if spec == "" {
			name = "this"
		}
		t.Run(name, func(t *testing.T) {
			m, err := mask.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			f(t, m)
		})
	}
}

// write writes once, whole.
func (d *disk) write(t testing.TB, h *Rings, p []byte, off int64) {
	t.Helper()
	res, ok := h.Do(context.Background(), &op.Op{Code: op.WriteAt, FD: &d.fd, Buf: p, Off: off})
	if !ok || int(res) != len(p) {
		t.Errorf("write of %d at %d: %d, %v", len(p), off, res, ok)
	}
}
