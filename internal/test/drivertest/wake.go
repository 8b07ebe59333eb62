package drivertest

import (
	"sync/atomic"
	"time"

	"ringo/internal/driver"
)

// A Wake ends the current Wait or the next one, from whichever thread it comes.
var wakeCases = []testCase{
	{name: "before a wait", run: wakeBefore},
	{name: "before the first wait, from elsewhere", run: wakeFirst},
	{name: "during a wait", run: wakeDuring},
	{name: "many before a wait are one", run: wakeCoalesced},
	{name: "many during a wait", run: wakeManyDuring},
	{name: "with completions", run: wakeWithCompletions},
	{name: "past capacity", run: wakePastCapacity},
	{name: "none is lost", run: wakeNotLost},
	{name: "none is lost beside completions", run: wakeNotLostBeside},
	{name: "after close", run: wakeAfterClose},
	{name: "during close", run: wakeDuringClose},
}

func wakeBefore(h *harness) {
	for range 5 {
		h.wake()
		h.wait(driver.Forever)
	}
}

func wakeFirst(h *harness) {
	h.m.beside(h.wake)()
	h.wait(driver.Forever)
}

func wakeDuring(h *harness) {
	for i := range 10 {
		join := h.m.beside(func() {
			h.untilWaiting()
			for range i * 20 {
				h.m.pass()
			}
			h.wake()
		})
		h.wait(driver.Forever)
		join()
	}
}

// untilWaiting waits, beside the case, until the case has called Wait.
func (h *harness) untilWaiting() {
	for h.doing.Load() != inWait {
		h.m.pass()
	}
}

// sleeps checks that a Wait lasts until its deadline. h.wait fails the case if it doesn't, because no Wake is left to
// excuse that.
func (h *harness) sleeps() {
	h.Helper()
	h.wakesExcused = h.wakesBegun.Load()
	h.wait(h.now() + int64(2*time.Millisecond))
}

func wakeCoalesced(h *harness) {
	for range 3 {
		for range 100 {
			h.wake()
		}
		h.m.beside(h.wake)()
		h.wait(driver.Forever)
		h.sleeps()
	}
}

// Wakes that came while the first one took effect may end one more Wait.
func wakeManyDuring(h *harness) {
	for range 3 {
		var join []func()
		var begun atomic.Bool // the first one may end the Wait before the others see it
		for range 4 {
			join = append(join, h.m.beside(func() {
				for h.doing.Load() != inWait && !begun.Load() {
					h.m.pass()
				}
				begun.Store(true)
				for range 50 {
					h.wake()
				}
			}))
		}
		h.wait(driver.Forever)
		for _, j := range join {
			j()
		}
		h.wait(h.now() + int64(time.Millisecond))
		h.sleeps()
	}
}

// Neither a Wake nor a completion is lost for the other.
func wakeWithCompletions(h *harness) {
	f, p := h.pair()
	for range 20 {
		c := h.recv(f, make([]byte, 1)).submit().wantPending()
		p.write("x")
		h.wake()
		c.want(1)
		n := h.nop().submit()
		h.wake()
		n.want(0)
	}
}

func wakePastCapacity(h *harness) {
	calls := make([]*call, 2*h.entries+1)
	for i := range calls {
		calls[i] = h.timeout(time.Hour).submit()
	}
	h.settle()
	h.wake()
	h.wait(driver.Forever)
	h.sleeps()
}

// The other side stores a number, wakes, and does so again as soon as the case has seen it. So each Wake meets the
// driver at another point on its way into sleep.
func wakeNotLost(h *harness) {
	rounds := int64(scaled(3000))
	var said, heard atomic.Int64
	join := h.m.beside(func() {
		for i := int64(1); i <= rounds; i++ {
			said.Store(i)
			h.wake()
			for heard.Load() < i {
				h.m.pass()
			}
		}
	})
	for heard.Load() < rounds {
		h.wait(driver.Forever)
		heard.Store(said.Load())
	}
	join()
}

// The same with several wakers, and with completions, which end Waits as well. A waker that was heard wakes again, so
// there is always another Wake to come.
func wakeNotLostBeside(h *harness) {
	var said, heard atomic.Int64
	var stop atomic.Bool
	var wakers []func()
	for range 3 {
		wakers = append(wakers, h.m.beside(func() {
			for !stop.Load() {
				i := said.Add(1)
				h.wake()
				for heard.Load() < i && !stop.Load() {
					h.m.pass()
				}
			}
		}))
	}
	for i := range scaled(1000) {
		if i%5 == 0 {
			h.nop().submit()
		}
		h.wait(driver.Forever)
		heard.Store(said.Load())
	}
	stop.Store(true)
	for _, join := range wakers {
		join()
	}
}

// A Wake that comes too late touches nothing, least of all the descriptor that has the driver's old number now.
func wakeAfterClose(h *harness) {
	h.close()
	numbers := make([]*desc, 20)
	for i := range numbers {
		numbers[i] = h.eventfd()
	}
	for range 10 {
		h.wake()
	}
	h.untouched(numbers)
}

func (h *harness) untouched(eventfds []*desc) {
	h.Helper()
	for _, f := range eventfds {
		if n := f.plain().drain(); n != 0 {
			h.Errorf("a Wake after Close wrote to descriptor %d", f.Sys())
		}
	}
}

func wakeDuringClose(h *harness) {
	w := h.startWakers(3)
	f, _ := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	for range 20 {
		h.wait(driver.Forever)
	}
	h.close()
	w.rounds(2) // Wakes that were under way have ended by then
	numbers := make([]*desc, 20)
	for i := range numbers {
		numbers[i] = h.eventfd()
	}
	w.rounds(2)
	w.stop()
	h.untouched(numbers)
	// More drivers, each closed as soon as it is woken.
	for range scaled(20) {
		h.closeUnderWakes()
	}
}

// wakers call wake all the time, beside the case.
type wakers struct {
	h       *harness
	calls   []atomic.Int64 // by each waker
	stopped atomic.Bool
	all     []func()
}

func (h *harness) startWakers(n int) *wakers {
	w := &wakers{h: h, calls: make([]atomic.Int64, n)}
	for i := range w.calls {
		w.all = append(w.all, h.m.beside(func() {
			for !w.stopped.Load() {
				h.wake()
				w.calls[i].Add(1)
				h.m.pass()
			}
		}))
	}
	return w
}

// rounds waits until each of them has called wake n more times.
func (w *wakers) rounds(n int64) {
	for i := range w.calls {
		for until := w.calls[i].Load() + n; w.calls[i].Load() < until; {
			w.h.m.pass()
		}
	}
}

func (w *wakers) stop() {
	w.stopped.Store(true)
	for _, join := range w.all {
		join()
	}
}

// closeUnderWakes opens another driver and closes it while it is being woken.
func (h *harness) closeUnderWakes() {
	d := h.another(driver.Config{Slab: h.slab, Entries: h.entries})
	var begun atomic.Bool
	join := h.m.beside(func() {
		begun.Store(true)
		for range 100 {
			d.Wake()
		}
	})
	for !begun.Load() {
		h.m.pass()
	}
	if err := d.Close(&h.done); err != nil {
		h.Error(err)
	}
	join()
}
