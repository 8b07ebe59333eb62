//go:build linux

package soft

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// file gives a regular file with this content.
func (r *rig) file(content string) *fd.FD {
	r.t.Helper()
	name := filepath.Join(r.t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	n, err := syscall.Open(name, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.own(n)
}

func (r *rig) read(f *fd.FD, size int, off int64) *op.Op {
	return r.submit(op.Read, f, func(o *op.Op) { o.Buf, o.Off = make([]byte, size), off })
}

func TestTryOfFile(t *testing.T) {
	r := newRig(t)
	if res, ok := r.d.Try(&op.Op{Code: op.Read, FD: r.file("x"), Buf: make([]byte, 1)}); ok {
		t.Errorf("try of a read that may wait for a disk = %d", res)
	}
}

// A write that the file takes in pieces goes on behind each.
func TestFullWriteToFile(t *testing.T) {
	real := op.Table[op.Write].Attempt
	defer func() { op.Table[op.Write].Attempt = real }()
	op.Table[op.Write].Attempt = func(o *op.Op) int32 { // a disk quota, say
		whole := o.Buf
		o.Buf = whole[:min(len(whole), int(o.Done)+3)]
		defer func() { o.Buf = whole }()
		return real(o)
	}
	r := newRig(t)
	f := r.file("")
	want := []byte("0123456789")
	o := r.submit(op.Write, f, func(o *op.Op) { o.Buf, o.Off, o.Flags = want, 0, op.Full })
	if n := r.last(o); int(n) != len(want) {
		t.Errorf("write = %d, want %d", n, len(want))
	}
	got := make([]byte, 32)
	n := check(t, "read", sys.ReadAt(f.Sys(), got, 0))
	if !bytes.Equal(got[:n], want) {
		t.Errorf("the file has %q, want %q", got[:n], want)
	}
}

// stuck makes reads of files hang until the test lets them go.
func stuck(t *testing.T) (begun <-chan struct{}, release func()) {
	real := op.Table[op.Read].Attempt
	in, gate := make(chan struct{}, 100), make(chan struct{})
	op.Table[op.Read].Attempt = func(o *op.Op) int32 {
		in <- struct{}{}
		<-gate
		return real(o)
	}
	t.Cleanup(func() { op.Table[op.Read].Attempt = real })
	return in, func() { close(gate) }
}

func TestCancelFile(t *testing.T) {
	begun, release := stuck(t)
	r := newRig(t)
	f := r.file("x")
	var running []*op.Op
	for range filesMax {
		running = append(running, r.read(f, 1, 0))
	}
	queued := r.read(f, 1, 0)
	r.quiet()
	for range filesMax {
		<-begun
	}
	r.cancel(queued, -sys.ECANCELED)
	r.d.Cancel(running[0]) // has begun: ends as it ends
	release()
	for range running {
		for r.done.Len() == 0 {
			r.wait()
		}
		c, _ := r.done.Pop()
		if c.Res != 1 {
			t.Errorf("read = %d, want 1: what was read is reported", c.Res)
		}
		r.slab.Put(c.Op)
	}
}

// The memory that a worker uses is not given back before the worker is done.
func TestCloseWaitsForFiles(t *testing.T) {
	begun, release := stuck(t)
	r := newRig(t)
	o := r.read(r.file("x"), 1, 0)
	r.quiet()
	<-begun
	go release()
	if err := r.d.Close(&r.done); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := r.d.Wait(driver.Poll, &r.done); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait after Close: %v, want os.ErrClosed", err)
	}
	if res := r.last(o); res != 1 {
		t.Errorf("read = %d, want 1", res)
	}
}

// A disk that never answers does not hold Close up for ever. What it may still
// write to stays taken.
func TestCloseLeaksWhatHangs(t *testing.T) {
	begun, release := stuck(t)
	r := newRig(t)
	o := r.read(r.file("x"), 1, 0)
	r.quiet()
	<-begun
	var late atomic.Bool // the clock of the seam jumps over the bound
	r.d.now = func() int64 {
		if late.Swap(true) {
			return clock() + int64(2*drainMax)
		}
		return clock()
	}
	if err := r.d.Close(&r.done); err == nil {
		t.Error("Close didn't say that an op could not be drained")
	}
	if o.State != op.InFlight || r.done.Len() != 0 {
		t.Errorf("the op is in state %d with %d completions, want it in flight", o.State, r.done.Len())
	}
	release()
	if left := r.d.files.workers.Close(time.Minute); left != 0 {
		t.Fatalf("%d workers are left", left)
	}
	r.d.done = &r.done
	r.d.completeJobs() // for the books of this test; a loop has ended
	r.last(o)
}

// A job that is done signals, and that is no Wake.
func TestFileIsNoWake(t *testing.T) {
	r := newRig(t)
	f := r.file("x")
	for range 50 {
		r.last(r.read(f, 1, 0))
	}
	deadline := clock() + int64(time.Millisecond)
	if err := r.d.Wait(deadline, &r.done); err != nil {
		t.Fatal(err)
	}
	if now := clock(); now < deadline {
		t.Errorf("Wait came back %v before its deadline", time.Duration(deadline-now))
	}
	if n := r.d.Info().Stats.Wakes; n != 0 {
		t.Errorf("Wakes = %d, want 0", n)
	}
}
