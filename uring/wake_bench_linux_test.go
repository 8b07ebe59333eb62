//go:build linux

package uring

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// The two ways to end a ring's sleep from another thread: a write to an eventfd that a multishot poll watches, which
// anybody can do, and MSG_RING, which takes a ring of one's own. The numbers are quoted in docs/adr/0009-wake.md.

// A sleeper is one end: a ring, and what wakes it.
type sleeper struct {
	r     *Ring
	event int
}

// watch arms the poll of the eventfd; a ring that is woken by MSG_RING needs nothing.
func (s *sleeper) watch() {
	s.r.SQE().PrepPollMultishot(s.event, unix.POLLIN)
	s.r.Submit()
}

// sleep waits for a wake and takes its CQE.
func (s *sleeper) sleep() {
	for {
		s.r.Enter(1, true, -1)
		if c, ok := s.r.CQE(); ok {
			if c.Res < 0 || c.UserData == 0 && !c.More() {
				panic("the wake failed: " + result(c.Res))
			}
			return
		}
	}
}

// A waker is a way to wake; from sends, to sleeps.
type waker struct {
	name string
	send func(from, to *sleeper)
}

var wakers = []waker{
	{"eventfd", func(_, to *sleeper) { sys.Signal(int32(to.event)) }},
	{"msg_ring", func(from, to *sleeper) {
		messageTo(from, to)
		from.r.Enter(0, false, -1)
	}},
}

func messageTo(from, to *sleeper) {
	e := from.r.SQE()
	e.PrepMsgRing(to.r.FD(), 1, 7)
	e.SetFlags(SQECQESkipSuccess)
}

// newSleeper makes an end on the calling thread, which it locks.
func newSleeper(b *testing.B) *sleeper {
	s := &sleeper{r: open(b, 64, nil), event: eventfd(b)}
	s.watch()
	return s
}

// beside runs body on a thread of its own with a ring of its own, and waits for it at the benchmark's end.
func beside(b *testing.B, body func(s *sleeper)) *sleeper {
	made, ended := make(chan *sleeper), make(chan struct{})
	event := eventfd(b)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and not unlocked: the thread ends with its ring
		r, err := Open(64, nil)
		if err != nil {
			b.Error(err)
			close(made)
			return
		}
		defer r.Close()
		s := &sleeper{r: r, event: event}
		s.watch()
		made <- s
		body(s)
	}()
	s := <-made
	if s == nil {
		b.FailNow()
	}
	b.Cleanup(func() { <-ended })
	return s
}

// BenchmarkWakeLatency is there and back between two rings on two threads, each asleep when it is woken: twice the way.
func BenchmarkWakeLatency(b *testing.B) {
	need(b, CheckMsgRing, CheckPollMultishot)
	for _, w := range wakers {
		b.Run(w.name, func(b *testing.B) {
			me := newSleeper(b)
			var over atomic.Bool
			peer := beside(b, func(s *sleeper) {
				for {
					s.sleep()
					if over.Load() {
						return
					}
					w.send(s, me)
				}
			})
			for b.Loop() {
				w.send(me, peer)
				me.sleep()
			}
			over.Store(true)
			w.send(me, peer)
		})
	}
}

// BenchmarkWakeSender is what a wake costs the one who sends it, when the other sleeps: the median and the tail,
// because the mean is of the machine.
func BenchmarkWakeSender(b *testing.B) {
	need(b, CheckMsgRing, CheckPollMultishot)
	for _, w := range wakers {
		b.Run(w.name, func(b *testing.B) {
			me := newSleeper(b)
			var over atomic.Bool
			var slept atomic.Int64
			peer := beside(b, func(s *sleeper) {
				for !over.Load() {
					slept.Add(1)
					s.sleep()
				}
			})
			for slept.Load() == 0 {
				runtime.Gosched()
			}
			var took []time.Duration
			for b.Loop() {
				// It has announced its sleep; this is the time to get there.
				for begin := time.Now(); time.Since(begin) < 20*time.Microsecond; {
				}
				n := slept.Load()
				begin := time.Now()
				w.send(me, peer)
				took = append(took, time.Since(begin))
				for slept.Load() == n {
				}
			}
			over.Store(true)
			w.send(me, peer)
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*9/10]), "p90-ns")
		})
	}
}

// BenchmarkWakeInTurn is what a wake adds to a turn that enters the kernel anyway, to a ring whose owner is awake.
func BenchmarkWakeInTurn(b *testing.B) {
	need(b, CheckMsgRing, CheckPollMultishot)
	for _, how := range []string{"none", "eventfd", "msg_ring"} {
		b.Run(how, func(b *testing.B) {
			me := newSleeper(b)
			cqes := make([]CQE, 64)
			var over atomic.Bool
			peer := beside(b, func(s *sleeper) {
				for !over.Load() {
					s.r.Enter(0, true, -1)
					s.r.Drain(cqes)
				}
			})
			mine := make([]CQE, 64)
			for b.Loop() {
				me.r.SQE().PrepNop()
				switch how {
				case "eventfd":
					sys.Signal(int32(peer.event))
				case "msg_ring":
					messageTo(me, peer)
				}
				me.r.Enter(0, true, -1)
				me.r.Drain(mine)
			}
			over.Store(true)
		})
	}
}
