//go:build linux

package uring

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRegisterFiles(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		a, b := socketpair(t, unix.SOCK_STREAM)
		fd := eventfd(t)
		if err := r.UnregisterFiles(); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("nothing to unregister: want ENXIO, got %v", err)
		}
		if err := r.RegisterFiles([]int{-1, a}); err != nil {
			t.Fatal(err)
		}
		if err := r.RegisterFiles([]int{a}); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("a second table: want EBUSY, got %v", err)
		}
		write(t, b, "abc")
		p := make([]byte, 8)
		recv := func(slot int) CQE {
			return do(t, r, func(e *SQE) {
				e.PrepRecv(slot, p, 0)
				e.SetFlags(SQEFixedFile)
			})
		}
		want(t, recv(1), 3)
		want(t, recv(0), syscall.EBADF)
		if n, err := r.UpdateFiles(0, []int{fd, -1}); n != 2 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		want(t, recv(1), syscall.EBADF)
		want(t, recv(0), syscall.ENOTSOCK)
		if err := r.UnregisterFiles(); err != nil {
			t.Error(err)
		}
		want(t, recv(0), syscall.EBADF)
	})
}

func TestRegisterBuffers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	eachGeometry(t, func(t *testing.T, r *Ring) {
		bufs := [][]byte{make([]byte, 8), make([]byte, 8192)}
		if err := r.RegisterBuffers(bufs); err != nil {
			t.Fatal(err)
		}
		read := func(index uint16, into []byte) CQE {
			return do(t, r, func(e *SQE) {
				e.PrepRead(int(f.Fd()), into, 4)
				e.Op, e.BufIndex = OpReadFixed, index
			})
		}
		want(t, read(1, bufs[1][4096:]), 6)
		if got := string(bufs[1][4096:4102]); got != "456789" {
			t.Errorf("got %q", got)
		}
		want(t, read(0, bufs[1]), syscall.EFAULT)
		if err := r.RegisterBuffers(bufs); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("again: want EBUSY, got %v", err)
		}
		if err := r.UnregisterBuffers(); err != nil {
			t.Error(err)
		}
		if err := r.UnregisterBuffers(); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("none: want ENXIO, got %v", err)
		}
	})
}

func TestRegisterEventfd(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		fd := eventfd(t)
		for range 10 { // again and again
			if err := r.RegisterEventfd(fd); err != nil {
				t.Fatal(err)
			}
			if err := r.RegisterEventfd(fd); !errors.Is(err, syscall.EBUSY) {
				t.Errorf("a second one: want EBUSY, got %v", err)
			}
			want(t, do(t, r, (*SQE).PrepNop), 0)
			var count [8]byte
			if n, err := unix.Read(fd, count[:]); n != 8 || err != nil || binary.NativeEndian.Uint64(count[:]) == 0 {
				t.Errorf("the eventfd says %v: %d, %v", count, n, err)
			}
			if err := r.UnregisterEventfd(); err != nil {
				t.Fatal(err)
			}
			want(t, do(t, r, (*SQE).PrepNop), 0)
			if _, err := unix.Read(fd, count[:]); err != unix.EAGAIN {
				t.Errorf("unregistered, yet signalled: %v", err)
			}
		}
		if err := r.UnregisterEventfd(); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("none: want ENXIO, got %v", err)
		}
	})
}

func TestIOWQMaxWorkers(t *testing.T) {
	r := open(t, 4, nil)
	b, u, err := r.IOWQMaxWorkers(3, 5)
	if errors.Is(err, syscall.EINVAL) && !newerThan("5.15") {
		t.Skip(err)
	}
	if err != nil || b == 0 || u == 0 {
		t.Fatalf("bounds were %d and %d, %v", b, u, err)
	}
	if b, u, err := r.IOWQMaxWorkers(0, 0); b != 3 || u != 5 || err != nil {
		t.Errorf("want 3 and 5, got %d and %d, %v", b, u, err)
	}
}

func TestProbeOps(t *testing.T) {
	r := open(t, 4, nil)
	ops, err := r.ProbeOps()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Op{OpNop, OpRead, OpAccept, OpAsyncCancel} {
		if !ops.Has(o) {
			t.Errorf("%v is missing", o)
		}
	}
	if ops.Has(255) {
		t.Error("the kernel has an opcode 255")
	}
	// What is not there says so when it is tried.
	for _, o := range []Op{200, 255} {
		c := do(t, r, func(e *SQE) { e.Op = o })
		if got := c.Res != -int32(syscall.EINVAL); got != ops.Has(o) {
			t.Errorf("%v: probe says %v, trying it gives %s", o, ops.Has(o), result(c.Res))
		}
	}
}

func TestCancelAll(t *testing.T) {
	need(t, CheckSyncCancel)
	eachGeometry(t, func(t *testing.T, r *Ring) {
		if err := r.CancelAll(-1); err != nil {
			t.Errorf("nothing in flight: %v", err)
		}
		a, _ := socketpair(t, unix.SOCK_STREAM)
		p := make([]byte, 8)
		n := min(r.CQEntries(), 4)
		for range n {
			start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) })
		}
		if err := r.CancelAll(waitMax); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Wait(n, waitMax); err != nil {
			t.Fatal(err)
		}
		for range n {
			want(t, finishReady(t, r), syscall.ECANCELED)
		}
	})
}
