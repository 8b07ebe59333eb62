//go:build linux

package soft

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// BenchmarkIdle is what a round on one connection costs beside others that are
// watched and where nothing happens: a byte comes, is received by an op that had
// waited for it, and the op is submitted again. Epoll and a ring are told; poll and
// select look everywhere. cpu-ns/op is the thread's time on the processor.
func BenchmarkIdle(b *testing.B) {
	for _, name := range []string{"epoll", "poll", "select", "uring-poll", "uring-poll, oneshot"} {
		for _, idle := range []int{0, 10, 100, 900, 10_000} {
			b.Run(fmt.Sprintf("driver=%s/idle=%d", name, idle), func(b *testing.B) { benchIdle(b, makers[name], idle) })
		}
	}
}

func benchIdle(b *testing.B, mk maker, idle int) {
	r := newRigOn(b, mk)
	if idle >= int(r.d.bound)-100 {
		b.Skipf("%s watches descriptors below %d only", r.d.p.Name(), r.d.bound)
	}
	raiseFiles(b, uint64(idle)+100)
	for range idle {
		r.watch(r.own(int(check(b, "eventfd", sys.Eventfd()))))
	}
	ours, peer := r.tcp()
	msg, mem := []byte("x"), make([]byte, 1)
	o := r.slab.Get(op.Recv)
	o.FD, o.Buf = ours, mem
	r.d.Submit(o)
	r.quiet()
	before := threadTime(b)
	b.ReportAllocs()
	for b.Loop() {
		sys.Send(peer.Sys(), msg, 0)
		if res, _ := r.next(o); res != 1 {
			b.Fatalf("received %d", res)
		}
		r.d.Submit(o)
	}
	b.ReportMetric(float64(threadTime(b)-before)/float64(b.N), "cpu-ns/op")
	r.d.Cancel(o)
	r.last(o)
}

// threadTime is what the calling thread has used of the processor.
func threadTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(1, &use); err != nil { // RUSAGE_THREAD
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
