package ringo

import (
	"sync"

	"ringo/internal/loop"
)

// Cond lets callers wait until a condition that a Mutex guards is true, as sync.Cond does with a
// sync.Mutex. Tasks of any loop and ordinary goroutines may wait at one together. NewCond makes it;
// it must not be copied.
type Cond struct {
	// L is held while the condition is looked at or changed.
	L *Mutex

	mu      sync.Mutex
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// NewCond makes a Cond with its Mutex.
func NewCond(m *Mutex) *Cond { return &Cond{L: m} }

// Wait unlocks c.L, waits for Signal or Broadcast, a task by parking, and locks c.L
// again before it returns, whatever it returns. nil means that it was woken; somebody
// may have come in between, so callers look again:
//
//	for !ready {
//		if err := c.Wait(); err != nil {
//			return err // with c.L locked
//		}
//	}
//
// An error is what ended the wait of a task, as with Mutex.Lock. A Signal that came
// before it counts, and returns nil; one that came after it goes to another waiter. It
// panics if c.L is not locked. Any goroutine may call it.
func (c *Cond) Wait() error {
	if c == nil {
		return ofNil("Cond.Wait")
	}
	c.L.wantHeld("Cond.Wait")
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	c.mu.Lock()
	w := c.spare.get()
	w.p = &w.own
	w.own.Begin(l, t)
	c.waiting.push(w)
	c.mu.Unlock()
	c.L.Unlock() // from here on a Signal is heard
	_, ok := w.own.Park()
	c.mu.Lock()
	w.leave()
	c.spare.put(w)
	c.mu.Unlock()
	c.L.relock()
	if !ok {
		return l.Cause()
	}
	return nil
}

// Signal wakes the one that waits for longest, if there is one. It does not wait, nor
// does the caller have to hold c.L. Any goroutine may call it.
func (c *Cond) Signal() {
	if c == nil {
		return // nobody waits
	}
	c.mu.Lock()
	w := c.waiting.claim()
	c.mu.Unlock()
	if w != nil {
		w.p.Wake()
	}
}

// Broadcast wakes all that wait. It does not wait, nor does the caller have to hold
// c.L. Any goroutine may call it.
func (c *Cond) Broadcast() {
	if c == nil {
		return
	}
	var all claimedWaiters[struct{}]
	c.mu.Lock()
	for w := c.waiting.claim(); w != nil; w = c.waiting.claim() {
		all.add(w)
	}
	c.mu.Unlock()
	all.wake()
}
