package offload

import (
	"sync"
	"sync/atomic"
	"testing"
)

// settled checks that all loans came back and nobody is in the list.
func (b *Budget) settled(t *testing.T, loans int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	// Pools whose queue was emptied by others stay in the list until a loan
	// finds them there, and a free loan is never beside a list.
	if b.free != loans {
		t.Errorf("%d loans are free in the end, want %d", b.free, loans)
	}
	if n := b.wants.Load(); n != 0 || b.head != nil || b.tail != nil {
		t.Errorf("%d pools wait for a loan in the end", n)
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
	const loans, jobs = 2, 200
	b := NewBudget(loans)
	greedy, other := NewShared(16, b), NewShared(16, b)
	begun, release := make(chan bool), make(chan bool)
	for range jobs {
		greedy.Submit(&Job{Run: func() { begun <- true; <-release }})
	}
	for range loans + 1 {
		<-begun
	}
	if running, queued := greedy.Load(); running != loans+1 || queued != jobs-1-loans {
		t.Fatalf("%d jobs run and %d wait, want %d and %d", running, queued, loans+1, jobs-1-loans)
	}
	ran := make(chan bool)
	other.Submit(&Job{Run: func() { ran <- true }})
	<-ran // on the worker of its own

	// These can only end together, so the second needs a loan. It comes as jobs of
	// the other pool end, long before that one has no more of them.
	meet := make(chan bool)
	other.Submit(&Job{Run: func() { <-meet; ran <- true }})
	other.Submit(&Job{Run: func() { meet <- true; ran <- true }})
	met, began, released := 0, loans+1, 0
	for met < 2 || began < jobs || released < jobs {
		unreleased := release
		if released == began {
			unreleased = nil
		}
		select {
		case <-ran:
			if met++; began == jobs {
				t.Error("a loan was passed on only when its pool had no more jobs")
			}
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
