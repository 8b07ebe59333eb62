//go:build linux

package soft

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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

func TestFile(t *testing.T) {
	r := newRig(t)
	f := r.file("0123456789")
	o := r.read(f, 4, 3)
	p := o.Buf
	if n := r.last(o); string(p[:n]) != "3456" {
		t.Errorf("read at 3 = %q, want 3456", p[:n])
	}
	o = r.submit(op.Write, f, func(o *op.Op) { o.Buf, o.Off, o.Flags = []byte("ab"), 8, op.Full })
	if n := r.last(o); n != 2 {
		t.Errorf("write at 8 = %d, want 2", n)
	}
	for _, want := range []string{"012345", "67ab", ""} { // by the file's own position
		o := r.read(f, 6, -1)
		p := o.Buf
		if n := r.last(o); n < 0 || string(p[:n]) != want {
			t.Errorf("read = %d %q, want %q", n, p[:max(n, 0)], want)
		}
	}
	if res, ok := r.d.Try(&op.Op{Code: op.Read, FD: f, Buf: p}); ok {
		t.Errorf("try of a read that may wait for a disk = %d", res)
	}
	o = r.submit(op.Poll, f, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Multishot })
	if mask := r.last(o); mask != sys.PollIn {
		t.Errorf("poll of a file = %#x, want %#x", mask, sys.PollIn)
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

func TestManyFileReads(t *testing.T) {
	const reads = 10 * filesMax
	r := newRig(t)
	f := r.file("0123456789")
	bufs := map[*op.Op][]byte{}
	for i := range reads {
		o := r.read(f, 1, int64(i%10))
		bufs[o] = o.Buf
	}
	for range reads {
		for r.done.Len() == 0 {
			r.wait()
		}
		c, _ := r.done.Pop()
		if c.Res != 1 || bufs[c.Op][0] != byte('0'+c.Op.Off) {
			t.Fatalf("read at %d = %d %q", c.Op.Off, c.Res, bufs[c.Op])
		}
		r.slab.Put(c.Op)
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

// A descriptor in blocking mode doesn't stop the driver, whatever the kernel knows
// of reads that don't wait: a pipe is asked by a flag, a FIFO by a look.
func TestBlockingMode(t *testing.T) {
	for _, c := range []struct {
		name string
		open func() (in, out int)
	}{
		{"pipe", func() (in, out int) {
			var ends [2]int
			if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			return ends[0], ends[1]
		}},
		{"fifo", func() (in, out int) {
			name := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
			in, err := syscall.Open(name, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			out, err = syscall.Open(name, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return in, out
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			n, m := c.open()
			in, out := r.own(n), r.own(m)
			if _, ok := r.d.Try(&op.Op{Code: op.Read, FD: in, Buf: make([]byte, 1), Off: -1}); ok {
				t.Error("a try of a read with nothing there was answered")
			}
			o := r.read(in, 8, -1)
			p := o.Buf
			r.quiet()
			w := r.submit(op.Write, out, func(o *op.Op) { o.Buf, o.Off = []byte("hello"), -1 })
			for ended := 0; ended < 2; ended++ {
				for r.done.Len() == 0 {
					r.wait()
				}
				c, _ := r.done.Pop()
				if c.Op != o && c.Op != w || c.Res != 5 {
					t.Fatalf("%s = %d", c.Op.Def().Name, c.Res)
				}
				r.slab.Put(c.Op)
			}
			if string(p[:5]) != "hello" {
				t.Errorf("read %q", p)
			}
			big := make([]byte, 1<<20) // more than it holds: a short count, and no wait
			fill := r.submit(op.Write, out, func(o *op.Op) { o.Buf, o.Off = big, -1 })
			if n := r.last(fill); n <= 0 || n == 1<<20 {
				t.Errorf("write of 1 MiB = %d, want a short count", n)
			}
		})
	}
}
