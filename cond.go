package ringo

import (
	"context"
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
// again before it returns. Somebody may have come in between, so callers look again:
//
//	for !ready {
//		c.Wait()
//	}
//
// Nothing else ends it: a cancelled task waits on. Where nobody may come any more, use
// WaitContext. It panics if c is nil or c.L is not locked. Any goroutine may call it.
func (c *Cond) Wait() {
	if c == nil {
		panic(ofNil("Cond.Wait"))
	}
	c.L.wantHeld("Cond.Wait")
	w := c.stand(loop.Current())
	w.own.ParkOn()
	c.leave(w)
}

// WaitContext is Wait that ends, too, when ctx is done, or when the caller is a task that
// is cancelled or whose Loop.WithTimeout or WithContext is over; c.L is locked in any
// case:
//
//	for !ready {
//		if err := c.WaitContext(ctx); err != nil {
//			return err // with c.L locked
//		}
//	}
//
// The error is as that of Mutex.LockContext. A Signal that came before it counts, and
// returns nil; one that came after it goes to another waiter. Any goroutine may call it.
func (c *Cond) WaitContext(ctx context.Context) error {
	if c == nil {
		return ofNil("Cond.WaitContext")
	}
	c.L.wantHeld("Cond.WaitContext")
	if err := endedBy(ctx); err != nil {
		loop.ChargeAndYield()
		return err
	}
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	w := c.stand(l, t)
	_, err := w.own.ParkContext(ctx)
	c.leave(w)
	return err
}

// stand puts the caller in line, and unlocks c.L: from here on a Signal is heard.
func (c *Cond) stand(l *loop.Loop, t *loop.Task) *waiter[struct{}] {
	c.mu.Lock()
	w := c.spare.get()
	w.p = &w.own
	w.own.For = "Cond.Wait"
	w.own.Begin(l, t)
	c.waiting.push(w)
	c.mu.Unlock()
	c.L.Unlock()
	return w
}

// leave takes the caller out, and locks c.L.
func (c *Cond) leave(w *waiter[struct{}]) {
	c.mu.Lock()
	w.leave()
	c.spare.put(w)
	c.mu.Unlock()
	c.L.Lock()
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
	c.mu.Lock()
	all := c.waiting.claimAll()
	c.mu.Unlock()
	all.wake()
}
