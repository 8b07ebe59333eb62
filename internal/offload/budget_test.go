package offload

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringo/internal/test/patience"
)

// settled checks that all loans come back and that nobody waits for one. A worker
// gives its loan back after its pool has counted it out.
func (b *Budget) settled(t *testing.T, loans int) {
	t.Helper()
	var free, wants int
	empty := false
	err := patience.Poll(runtime.Gosched, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		free, wants, empty = int(b.free), int(b.wants.Load()), b.head == nil && b.tail == nil
		return free == loans && wants == 0 && empty
	})
	if err != nil {
		t.Fatalf("%d loans are free in the end, want %d; %d pools wait (list empty: %v): %v", free, loans, wants, empty,
			err)
	}
}

// However many pools there are, no more jobs run at once than the budget and one
// for each pool; and all run.
func TestBudgetBounds(t *testing.T) {
	const pools, loans, jobs = 5, 3, 400
	b := NewBudget(loans)
	var now, most, done atomic.Int32
	var all sync.WaitGroup
	list := make([]*Pool, pools)
	for i := range list {
		list[i] = NewShared(16, b)
	}
	for _, p := range list {
		all.Add(1)
		go func() {
			defer all.Done()
			for range jobs {
				p.Submit(&Job{Run: func() {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					now.Add(-1)
					done.Add(1)
				}})
			}
		}()
	}
	all.Wait()
	for _, p := range list {
		closed(t, p)
	}
	if done.Load() != pools*jobs || most.Load() > pools+loans {
		t.Errorf("%d jobs ran, %d at once; want %d, at most %d", done.Load(), most.Load(), pools*jobs, pools+loans)
	}
	b.settled(t, loans)
}

// A pool that hangs with all loans doesn't stop another, and what it gives back
// goes to who waits for it.
func TestBudgetPassesOn(t *testing.T) {
	const loans, jobs = 2, 20
	b := NewBudget(loans)
	greedy, other := NewShared(16, b), NewShared(16, b)
	begun, release := make(chan bool), make(chan bool)
	for range jobs {
		greedy.Submit(&Job{Run: func() { begun <- true; <-release }})
	}
	for range loans + 1 {
		<-begun
	}
	if load := greedy.Load(); load.Running != loans+1 || load.Waiting != jobs-1-loans {
		t.Fatalf("%d jobs run and %d wait, want %d and %d", load.Running, load.Waiting, loans+1, jobs-1-loans)
	}
	ran := make(chan bool)
	other.Submit(&Job{Run: func() { ran <- true }})
	<-ran // on the worker of its own
	for other.Load().Running != 0 {
		runtime.Gosched()
	}

	// These can only end together, so the second needs a loan. The first that comes
	// free is for the other pool, which asked before; the second is for this one,
	// though the other has more jobs.
	meet := make(chan bool)
	other.Submit(&Job{Run: func() { <-meet; ran <- true }})
	other.Submit(&Job{Run: func() { meet <- true; ran <- true }})
	patience.Until(t, "the other pool has asked", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return other.wants
	})
	release <- true
	release <- true
	for range 2 {
		patience.Recv(t, "a loan that is passed on", ran)
	}
	for began, released := loans+1, 2; released < jobs; {
		unreleased := release
		if released == began {
			unreleased = nil
		}
		select {
		case <-begun:
			began++
		case unreleased <- true:
			released++
		}
	}
	closed(t, greedy)
	closed(t, other)
	b.settled(t, loans)
}

// Without loans each pool still has its worker.
func TestBudgetOfNothing(t *testing.T) {
	b := NewBudget(0)
	p, q := NewShared(4, b), NewShared(4, b)
	n := 0
	for range 100 {
		p.Submit(&Job{Run: func() { n++ }}) // one worker at a time: no lock
	}
	release := hold(q)
	closed(t, p)
	release()
	closed(t, q)
	if n != 100 {
		t.Errorf("%d jobs ran, want 100", n)
	}
}
