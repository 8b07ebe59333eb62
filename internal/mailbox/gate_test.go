package mailbox

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

func TestGateTable(t *testing.T) {
	const s = signaller
	for _, c := range []struct {
		name string
		step func(word) (word, bool)
		from word
		want word
		ret  bool
	}{
		{"notify awake", word.notify, stateAwake, stateNotified, false},
		{"notify notified", word.notify, stateNotified, stateNotified, false},
		{"notify asleep", word.notify, stateAsleep, stateNotified + s, true},
		{"notify asleep, one late", word.notify, stateAsleep + s, stateNotified + 2*s, true},
		{"notify closed", word.notify, stateClosed + s, stateClosed + s, false},
		{"announce awake", word.announce, stateAwake + s, stateAsleep + s, true},
		{"announce notified", word.announce, stateNotified, stateAwake, false},
		{"announce closed", word.announce, stateClosed, stateClosed, false},
		{"awake awake", word.awake, stateAwake, stateAwake, false},
		{"awake notified", word.awake, stateNotified + s, stateAwake + s, true},
		{"awake asleep", word.awake, stateAsleep, stateAwake, false},
		{"awake closed", word.awake, stateClosed, stateClosed, false},
		{"close awake", word.close, stateAwake, stateClosed, true},
		{"close asleep", word.close, stateAsleep, stateClosed, true},
		{"close, one late", word.close, stateNotified + s, stateClosed + s, false},
		{"close closed", word.close, stateClosed, stateClosed, false},
		{"signalled open", word.signalled, stateNotified + s, stateNotified, false},
		{"signalled closed, not last", word.signalled, stateClosed + 2*s, stateClosed + s, false},
		{"signalled closed, last", word.signalled, stateClosed + s, stateClosed, true},
	} {
		if got, ret := c.step(c.from); got != c.want || ret != c.ret {
			t.Errorf("%s: %#x to %#x, %v, want %#x, %v", c.name, c.from, got, ret, c.want, c.ret)
		}
	}
}

func TestGateMisusePanics(t *testing.T) {
	for name, f := range map[string]func(g *Gate){
		"Signalled without Notify": func(g *Gate) { g.Signalled() },
		"Announce while asleep":    func(g *Gate) { g.Announce(); g.Announce() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(new(Gate))
		}()
	}
}

// bell stands for an eventfd and knows when it is used after its end.
type bell struct {
	rung   chan struct{} // capacity 1: rings are coalesced
	closed atomic.Bool
	t      *testing.T
}

func (b *bell) ring() {
	if b.closed.Load() {
		b.t.Error("signal to a closed descriptor")
	}
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

func (b *bell) close() {
	if b.closed.Swap(true) {
		b.t.Error("descriptor closed twice")
	}
}

// TestNoLostWake has senders that push and an owner that sleeps whenever it can
// until the bell rings. A wake that is lost leaves it asleep with mail waiting,
// which the deadline turns into a failure.
func TestNoLostWake(t *testing.T) {
	const senders = 3
	each := 20_000
	if !testmain.Long() {
		each = 2_000
	}
	var (
		q     Queue[message]
		g     Gate
		wg    sync.WaitGroup
		fd    = &bell{rung: make(chan struct{}, 1), t: t}
		slept int
	)
	for s := range senders {
		wg.Go(func() {
			for n := 1; n <= each; n++ {
				q.Push(message{s, n})
				if g.Notify() {
					fd.ring()
					if g.Signalled() {
						fd.close()
					}
				}
				if n%3 == s {
					runtime.Gosched() // let the owner fall asleep now and then
				}
			}
		})
	}
	got := &receive{t: t, last: make([]int, senders)}
	for got.n < senders*each {
		g.Awake()
		got.all(q.Take())
		if got.n < senders*each && g.Announce() {
			slept++
			if !patience.Done(t, "the bell", fd.rung) {
				t.Fatalf("asleep with %d of %d messages, queue empty: %v", got.n, senders*each, q.Empty())
			}
		}
	}
	if g.Close() {
		fd.close()
	}
	wg.Wait()
	if !fd.closed.Load() {
		t.Error("nobody closed the descriptor")
	}
	if g.Notify() {
		t.Error("Notify after Close wants a signal")
	}
	t.Logf("slept %d times for %d messages", slept, got.n)
}

// TestGateCloseUnderNotifies closes gates while others notify: the descriptor is
// closed once, by whoever is last, and never signalled afterwards.
func TestGateCloseUnderNotifies(t *testing.T) {
	for range 2000 {
		var (
			g  Gate
			wg sync.WaitGroup
			fd = &bell{rung: make(chan struct{}, 1), t: t}
		)
		for range 3 {
			wg.Go(func() {
				for range 3 {
					if g.Notify() {
						fd.ring()
						if g.Signalled() {
							fd.close()
						}
					}
				}
			})
		}
		for range 3 {
			g.Awake()
			if g.Announce() {
				runtime.Gosched()
			}
		}
		if g.Close() {
			fd.close()
		}
		wg.Wait()
		if !fd.closed.Load() {
			t.Fatal("nobody closed the descriptor")
		}
	}
}
