//go:build linux

package drivertest

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/driver"
)

// A Wake ends the present Wait or the next one, from wherever it comes.
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
	beside(h.wake)()
	h.wait(driver.Forever)
}

func wakeDuring(h *harness) {
	for i := range 10 {
		join := beside(func() {
			h.untilWaiting()
			for range i * 20 {
				runtime.Gosched()
			}
			h.wake()
		})
		h.wait(driver.Forever)
		join()
	}
}

// untilWaiting waits, on another goroutine, until the case is about to sleep.
func (h *harness) untilWaiting() {
	for h.doing.Load() != inWait {
		runtime.Gosched()
	}
}

// sleeps checks that a Wait lasts until its deadline; wait complains if it
// doesn't and no Wake may have ended it.
func (h *harness) sleeps() {
	h.Helper()
	h.wakesExcused = h.wakesBegun.Load()
	h.wait(now() + int64(2*time.Millisecond))
}

func wakeCoalesced(h *harness) {
	for range 3 {
		for range 100 {
			h.wake()
		}
		beside(h.wake)()
		h.wait(driver.Forever)
		h.sleeps()
	}
}

// Those that came while the first one took effect may end one Wait more.
func wakeManyDuring(h *harness) {
	for range 3 {
		var join []func()
		var begun atomic.Bool // the first one may end the Wait before another sees it
		for range 4 {
			join = append(join, beside(func() {
				for h.doing.Load() != inWait && !begun.Load() {
					runtime.Gosched()
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
		h.wait(now() + int64(time.Millisecond))
		h.sleeps()
	}
}

// Neither is lost for the other.
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

// The other side says something, wakes, and does so again as soon as it was
// heard: each Wake meets the driver at another point of its way into sleep.
func wakeNotLost(h *harness) {
	rounds := int64(scaled(3000))
	var said, heard atomic.Int64
	join := beside(func() {
		for i := int64(1); i <= rounds; i++ {
			said.Store(i)
			h.wake()
			for heard.Load() < i {
				runtime.Gosched()
			}
		}
	})
	for heard.Load() < rounds {
		h.wait(driver.Forever)
		heard.Store(said.Load())
	}
	join()
}

// The same with completions under way, which end Waits as well.
func wakeNotLostBeside(h *harness) {
	rounds := int64(scaled(1500))
	var said, heard atomic.Int64
	var join []func()
	for range 3 {
		join = append(join, beside(func() {
			for {
				i := said.Add(1)
				if h.wake(); i >= rounds {
					return
				}
				for heard.Load() < i && heard.Load() < rounds {
					runtime.Gosched()
				}
			}
		}))
	}
	for heard.Load() < rounds {
		if said.Load()%3 == 0 {
			h.nop().submit()
		}
		h.wait(driver.Forever)
		heard.Store(said.Load())
	}
	for _, j := range join {
		j()
	}
}

// A Wake that comes too late touches nothing, least of all the descriptor that
// has the number now.
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
	var stop atomic.Bool
	var wakers sync.WaitGroup
	for range 3 {
		wakers.Go(func() {
			for !stop.Load() {
				h.wake()
				runtime.Gosched()
			}
		})
	}
	f, _ := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	for range 20 {
		h.wait(driver.Forever)
	}
	h.close()
	numbers := make([]*desc, 20)
	for i := range numbers {
		numbers[i] = h.eventfd()
	}
	for more := h.wakesEnded.Load() + 10; h.wakesEnded.Load() < more; {
		runtime.Gosched()
	}
	stop.Store(true)
	wakers.Wait()
	h.untouched(numbers)
	// More drivers, each closed as soon as somebody wakes it.
	for range scaled(20) {
		h.closeUnderWakes()
	}
}

// closeUnderWakes opens another driver and closes it while it is woken.
func (h *harness) closeUnderWakes() {
	d := h.open(h.T, driver.Config{Slab: h.slab, Now: now, Entries: h.entries})
	var begun atomic.Bool
	join := beside(func() {
		begun.Store(true)
		for range 100 {
			d.Wake()
		}
	})
	for !begun.Load() {
		runtime.Gosched()
	}
	if err := d.Close(&h.done); err != nil {
		h.Error(err)
	}
	join()
}
