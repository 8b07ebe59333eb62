//go:build linux

package drivertest

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/test/testmain"
)

// Signals interrupt a wait at any point, and must have no visible effect: no Wait ends because of them, and no op
// completes with EINTR.
var signalCases = []testCase{
	{name: "a wait lasts", run: signalWait},
	{name: "ops go on", run: signalOps},
	{name: "collections", run: collections},
}

// storm sends signals to the calling thread until calm is called, and counts them. They are the two that a Go program
// gets by itself: for preemption and from the profiler.
func (h *harness) storm() (sent *atomic.Int64, calm func()) {
	pid, tid := unix.Getpid(), unix.Gettid()
	var stop atomic.Bool
	sent = new(atomic.Int64)
	join := elsewhere(func() {
		signals := []syscall.Signal{unix.SIGURG, unix.SIGPROF}
		for !stop.Load() {
			unix.Tgkill(pid, tid, signals[sent.Add(1)%2])
			runtime.Gosched()
		}
	})
	return sent, func() {
		stop.Store(true)
		join()
	}
}

func signalWait(h *harness) {
	f, p := h.pair()
	c := h.recv(f, make([]byte, 1)).submit()
	sent, calm := h.storm()
	defer calm()
	for i := 0; i < 10 || sent.Load() < 200; i++ {
		h.wait(h.now() + int64(3*time.Millisecond)) // fails the case if it ends early
	}
	p.write("x")
	c.want(1)
}

func signalOps(h *harness) {
	f, p := h.pair()
	file := h.file("content")
	sent, calm := h.storm()
	defer calm()
	b := make([]byte, 8)
	rounds := 20 // the storm leaves little time to the thread
	if testmain.Long() {
		rounds = 100
	}
	for i := 0; i < rounds || sent.Load() < 500; i++ {
		r := h.recv(f, b).submit()
		t := h.timeout(100 * time.Microsecond).submit()
		s := h.send(f, []byte("out")).submit()
		d := h.read(file, make([]byte, 7), 0).submit()
		t.want(-int32(unix.ETIME))
		p.write("in")
		r.wantBytes(b, "in")
		s.want(3)
		d.want(7)
		p.want("out")
	}
}

// The garbage collector stops the world and moves stacks. The memory that the driver was given must stay where it is,
// and stay alive although the case does not refer to it.
func collections(h *harness) {
	var stop atomic.Bool
	join := elsewhere(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	defer join()
	defer stop.Store(true)
	f, p := h.pair()
	limit := h.now() + int64(60*time.Millisecond)
	for i := 0; h.now() < limit; i++ {
		c := h.recv(f, make([]byte, 100))
		c.onEnd = func(o *op.Op, res int32) {
			if res != 100 || mismatch(o.Buf, 16, i) >= 0 {
				h.Errorf("%s completed with %s, or with other bytes than were sent", c, show(res))
			}
		}
		c.submit()
		h.sendmsg(f, []byte(pattern(15, i, 5)), []byte(pattern(15, i+5, 5))).submit().want(10)
		p.want(pattern(15, i, 10))
		p.write(pattern(16, i, 100))
		c.end()
	}
}
