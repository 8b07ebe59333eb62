package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// Cond lets callers wait until a condition that is guarded by a Mutex is true, as sync.Cond does with a sync.Mutex.
// Tasks of any loop and ordinary goroutines can share one. NewCond makes it; it must not be copied.
type Cond struct {
	// L must be held while the condition is read or changed.
	L *Mutex

	mu      sync.Mutex
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// NewCond makes a Cond whose condition is guarded by m.
func NewCond(m *Mutex) *Cond { return &Cond{L: m} }

// Wait unlocks c.L, waits for Signal or Broadcast (a task parks), and locks c.L again before it returns. The condition
// may have changed in between, so callers check it again:
//
//	for !ready {
//		c.Wait()
//	}
//
// Nothing else ends the wait: a cancelled task keeps waiting. If a signal may never come, use WaitContext. It panics if
// c is nil or c.L is not locked. Any goroutine may call it.
func (c *Cond) Wait() {
	if c == nil {
		panic(ofNil("Cond.Wait"))
	}
	c.L.wantHeld("Cond.Wait")
	w := c.stand(loop.Current())
	w.own.ParkOn()
	c.leave(w)
}

// WaitContext is like Wait, but also returns when ctx is done, and to a task when it is cancelled or its
// Loop.WithTimeout or WithContext ends. c.L is locked in any case:
//
//	for !ready {
//		if err := c.WaitContext(ctx); err != nil {
//			return err // with c.L locked
//		}
//	}
//
// The errors are those of Mutex.LockContext. If a Signal came first, WaitContext returns nil; if it comes later,
// another waiter gets it. Any goroutine may call it; a task parks.
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

// stand puts the caller in line, and then unlocks c.L: every Signal from here on can reach the caller.
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

// leave takes the caller out of the line, and locks c.L.
func (c *Cond) leave(w *waiter[struct{}]) {
	c.mu.Lock()
	w.leave()
	c.spare.put(w)
	c.mu.Unlock()
	c.L.Lock()
}

// Signal wakes the caller that has waited longest, if there is one. It does not wait; the caller need not hold c.L. Any
// goroutine may call it.
func (c *Cond) Signal() {
	if c == nil {
		return // no caller waits on a nil Cond
	}
	c.mu.Lock()
	w := c.waiting.claim()
	c.mu.Unlock()
	if w != nil {
		w.p.Wake()
	}
}

// Broadcast wakes all callers of Wait. It does not wait; the caller need not hold c.L. Any goroutine may call it.
func (c *Cond) Broadcast() {
	if c == nil {
		return
	}
	c.mu.Lock()
	all := c.waiting.claimAll()
	c.mu.Unlock()
	all.wake()
}
