//go:build linux

package uring

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
	"weak"
)

// dropped calls use with a buffer on the heap that nobody else knows.
//
//go:noinline
func dropped(use func(p []byte)) weak.Pointer[[64]byte] {
	p := new([64]byte)
	use(p[:])
	return weak.Make(p)
}

// TestClonedBuffersAreKept: whichever of two rings replaces a buffer, the other one's stays.
func TestClonedBuffersAreKept(t *testing.T) {
	from, to := open(t, 8, nil), open(t, 8, nil)
	other := make([]byte, 64)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first := dropped(func(p []byte) { must(from.RegisterBuffers([][]byte{p, other})) })
	if err := to.CloneBuffers(from, BufferRange{}); err != nil {
		asSince(t, err, "6.12")
	}
	if _, err := from.UpdateBuffers(0, [][]byte{other}, nil); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if first.Value() == nil {
		t.Error("a buffer was collected that the clone has")
	}
	second := dropped(func(p []byte) {
		_, err := to.UpdateBuffers(1, [][]byte{p}, nil)
		must(err)
	})
	runtime.GC()
	if second.Value() == nil {
		t.Error("a buffer was collected that the clone was given")
	}
	if _, err := to.UpdateBuffers(0, [][]byte{other}, nil); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if first.Value() != nil {
		t.Error("a buffer is kept that nobody has")
	}
	must(from.UnregisterBuffers())
	must(to.UnregisterBuffers())
	runtime.GC()
	if second.Value() != nil {
		t.Error("a buffer is kept that was unregistered")
	}
	runtime.KeepAlive(other)
}

// TestCloneRange: the places are those that were asked for, and all from one on.
func TestCloneRange(t *testing.T) {
	from, to := open(t, 8, nil), open(t, 8, nil)
	fd := fileOf(t, "0123456789")
	bufs := [][]byte{make([]byte, 2), make([]byte, 3), make([]byte, 4)}
	if err := from.RegisterBuffers(bufs); err != nil {
		t.Fatal(err)
	}
	asSince(t, to.CloneBuffers(from, BufferRange{From: 1, To: 2}), "6.13")
	want(t, readInto(t, to, fd, bufs[1], 2, 0), 3)
	want(t, readInto(t, to, fd, bufs[2], 3, 0), 4)
	for i, b := range [][]byte{nil, nil, bufs[1], bufs[2]} {
		if p := to.pinned[i]; p.len != uintptr(len(b)) || len(b) > 0 && p.base != &b[0] {
			t.Errorf("place %d keeps %d bytes, want %d", i, p.len, len(b))
		}
	}
	if to.CloneBuffers(to, BufferRange{From: 3, N: 1, Replace: true}) == nil && to.pinned[0].base != &bufs[2][0] {
		t.Error("cloned within a ring, and not kept")
	}
}

// TestCloneBeside: the other ring's owner may use it meanwhile. The race detector looks on.
func TestCloneBeside(t *testing.T) {
	to := open(t, 8, nil)
	one, two := make([]byte, 64), make([]byte, 64)
	opened, done, stop := make(chan *Ring), make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // ends with the goroutine
		r, err := Open(8, &Config{Without: deferral})
		if err == nil {
			err = r.RegisterBuffers([][]byte{one})
		}
		opened <- r
		for err == nil {
			select {
			case <-stop:
				done <- r.Close()
				return
			default:
				_, err = r.UpdateBuffers(0, [][]byte{two}, nil)
			}
		}
		done <- err
	}()
	from := <-opened
	if from == nil {
		t.Fatal(<-done)
	}
	for range 100 {
		err := to.CloneBuffers(from, BufferRange{})
		if err == nil {
			err = to.UnregisterBuffers()
		}
		if err != nil {
			close(stop)
			<-done
			asSince(t, err, "6.12")
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := to.CloneBuffers(from, BufferRange{}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("of a closed ring: want EBADF, got %v", err)
	}
}

// beyond is a number whose lower 32 bits are v.
func beyond(t *testing.T, v int64) int {
	t.Helper()
	n := v + 1<<32
	if int64(int(n)) != n {
		t.Skip("int has 32 bits")
	}
	return int(n)
}

// TestUpdateBuffersPlaces: a place that is none is refused before it is cut to 32 bits.
func TestUpdateBuffersPlaces(t *testing.T) {
	r := open(t, 8, nil)
	fd := fileOf(t, "0123456789")
	bufs := [][]byte{make([]byte, 4)}
	if err := r.RegisterBuffers(bufs); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int{-1, beyond(t, 0)} {
		if n, err := r.UpdateBuffers(off, [][]byte{make([]byte, 8)}, nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("at %d: %d, %v; want EINVAL", off, n, err)
		}
	}
	want(t, readInto(t, r, fd, bufs[0], 0, 0), 4)
}
