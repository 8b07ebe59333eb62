//go:build linux

package loop_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/test/looptest"
)

// writer writes to one end of a pair of sockets by Accept, and sees what comes at the other.
type writer struct {
	t        *testing.T
	l        *loop.Loop
	accepted loop.Accepted
	ends     [2]int
}

func newWriter(t *testing.T, l *loop.Loop) *writer {
	t.Helper()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(ends[0]); syscall.Close(ends[1]) })
	w := &writer{t: t, l: l, ends: ends}
	loop.Yield(l) // the memory for what is accepted is there from the second turn on
	w.write("")
	loop.Yield(l)
	return w
}

// Unsent is told if a send has not sent all, which must not be.
func (w *writer) Unsent(res int32, rest []byte) { w.t.Errorf("unsent: %d, %d bytes", res, len(rest)) }

// write has the loop accept some bytes.
func (w *writer) write(p string) bool {
	return w.l.Outbox().Accept(&w.accepted, w, int32(w.ends[0]), []byte(p))
}

// arrived counts the bytes that have come to the other end.
func (w *writer) arrived() int {
	n, err := syscall.Read(w.ends[1], make([]byte, 100))
	if err != nil && err != syscall.EAGAIN {
		w.t.Error(err)
	}
	return max(0, n)
}

// What was accepted is sent though its task goes on: with calls that need not wait, once they have taken long, and not
// before.
func TestTaskThatGoesOnHoldsNothing(t *testing.T) {
	for _, lasts := range []time.Duration{0, time.Microsecond, 20 * time.Microsecond, time.Millisecond} {
		t.Run(fmt.Sprint(lasts, " a call"), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				clock := &looptest.Clock{}
				stopped := time.Now()
				cfg.Clock = func() time.Time { return stopped.Add(time.Duration(clock.Offset.Load())) }
				err := run(t, cfg, func(l *loop.Loop) error {
					w := newWriter(t, l)
					for round := range 3 {
						loop.Yield(l)
						began, calls := turn(l), 0
						if !w.write("reply") {
							t.Fatal("nothing is accepted")
						}
						for ; turn(l) == began; calls++ {
							clock.Jump(lasts)
							l.ChargeAndYield()
						}
						if n := w.arrived(); n != len("reply") {
							t.Errorf("round %d: %d bytes have come when the turn has ended", round, n)
						}
						switch took := time.Duration(calls) * lasts; {
						case calls > 128 || took > 300*time.Microsecond && calls > 5:
							t.Errorf("round %d: the turn has gone on for %d calls, %v", round, calls, took)
						case took <= 200*time.Microsecond && calls < 128:
							t.Errorf("round %d: the turn has ended after %d calls, %v", round, calls, took)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// What was accepted is sent before others have the processor.
func TestNothingIsHeldInTheScheduler(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var w *writer
		var thread atomic.Int32 // the loop's: what an earlier test has left may give its processor away, too
		accepted, came, looks := 0, 0, 0
		defer loop.SetGosched(func() {
			if int32(syscall.Gettid()) != thread.Load() || w == nil {
				return
			}
			looks++
			if came += w.arrived(); came != accepted {
				t.Errorf("%d bytes of %d have come when the loop gives its processor away", came, accepted)
			}
		})()
		err := run(t, cfg, func(l *loop.Loop) error {
			w = newWriter(t, l)
			thread.Store(int32(syscall.Gettid()))
			for looks < 3 { // a busy loop is said to go through the scheduler every 8 ms
				if w.write("x") {
					accepted++
				}
				loop.Yield(l)
				came += w.arrived()
			}
			w = nil
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Who is told of a stall is told that what was accepted is held as well.
func TestStallTellsOfHeldReplies(t *testing.T) {
	for _, held := range []bool{false, true} {
		for _, asked := range []bool{false, true} {
			t.Run(fmt.Sprint("held ", held, ", OnStall ", asked), func(t *testing.T) {
				cfg := small(anyDriver(t))
				cfg.Stall = 10 * time.Millisecond
				var text atomic.Pointer[string]
				var writes atomic.Bool
				tell := func(s string) {
					if writes.Load() { // else a slow machine stalled before
						text.CompareAndSwap(nil, &s)
					}
				}
				if asked {
					cfg.OnStall = func(_ *loop.Loop, _ time.Duration, stack []byte) { tell(string(stack)) }
				} else {
					cfg.Complain = tell
				}
				err := run(t, cfg, func(l *loop.Loop) error {
					w := newWriter(t, l)
					for end := time.Now().Add(limit); text.Load() == nil && time.Now().Before(end); {
						l.YieldTurn() // of one turn it is told once
						if held {
							w.write("reply")
						}
						writes.Store(true)
						for i := 0; text.Load() == nil && i < 1e8; i++ {
						}
						writes.Store(false)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if text.Load() == nil {
					t.Fatal("nobody was told of the stall")
				}
				if says := strings.Contains(*text.Load(), "Conn.Flush"); says != held {
					t.Errorf("the report says %v of what is held, want %v:\n%s", says, held, *text.Load())
				}
			})
		}
	}
}
