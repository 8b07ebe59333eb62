package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// A Mutex is a lock that parks tasks that have to wait, where a sync.Mutex would stop their loop. Tasks of any loop and
// ordinary goroutines can share one; Unlock passes the lock to the caller that has waited longest. The zero value is
// unlocked. It must not be copied after its first use. It is a sync.Locker.
//
// Tasks of one loop need it only for state that must not change while they park: between two waits a task has its loop
// to itself.
type Mutex struct {
	mu      sync.Mutex
	held    bool
	by      loop.Holder // the task that holds the lock, if held
	waiting line[loop.Holder]
	spare   waiterPool[loop.Holder]
}

var _ sync.Locker = (*Mutex)(nil)

// Lock waits for the lock and takes it: a task parks, a goroutine blocks. It always returns with the lock: a task keeps
// waiting even if it is cancelled or its Loop.WithTimeout ends, so the holder must not wait for that task. Use
// LockContext for a wait that can end early. Any goroutine may call it.
func (m *Mutex) Lock() {
	if m == nil {
		panic(ofNil("Mutex.Lock"))
	}
	me := loop.ChargeAndYieldHere()
	m.mu.Lock()
	if m.held {
		m.waiting.waitOn(&m.mu, &m.spare, holder(me), "Mutex.Lock", (*mutexWait)(m))
	} else {
		m.held = true
		m.by.Be(me)
	}
	m.mu.Unlock()
}

// LockContext is like Lock, but also returns when ctx is done, and to a task when it is cancelled or its
// Loop.WithTimeout or WithContext ends. If it returns nil the caller has the lock; otherwise the caller does not have
// it, and the error matches context.Canceled, os.ErrDeadlineExceeded or the context's cause. If ctx is already done it
// fails even if the lock is free. A cancelled task still gets a free lock, within the bound at Loop.WithTimeout, unless
// ctx is its Loop.Context. A nil ctx never ends. Any goroutine may call it.
//
// It does not allocate if ctx is nil, can't be done (such as context.Background), or is the task's Loop.Context. A task
// parks.
func (m *Mutex) LockContext(ctx context.Context) error {
	if m == nil {
		return ofNil("Mutex.LockContext")
	}
	if err := chargeIn(ctx); err != nil {
		return err
	}
	_, me := loop.Current()
	var err error
	m.mu.Lock()
	if m.held {
		_, err = m.waiting.wait(ctx, &m.mu, &m.spare, holder(me), "Mutex.LockContext", (*mutexWait)(m))
	} else {
		m.held = true
		m.by.Be(me)
	}
	m.mu.Unlock()
	return err
}

// TryLock takes the lock if it is free, and reports whether it did. It does not wait. Any goroutine may call it.
func (m *Mutex) TryLock() bool {
	if m == nil {
		return false
	}
	l, me := loop.Current()
	if l != nil {
		l.Charge()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held {
		return false
	}
	m.held = true
	m.by.Be(me)
	return true
}

// Unlock passes the lock to the first waiting caller, or leaves it free. It does not wait, and works in a cancelled
// task. As with sync.Mutex, a task or goroutine other than the one that locked may unlock. It panics if the lock is
// free. Any goroutine may call it.
func (m *Mutex) Unlock() {
	if m == nil {
		panic(ofNil("Mutex.Unlock"))
	}
	m.mu.Lock()
	if !m.held {
		m.mu.Unlock()
		if loop.Crashed() { // in a Cond.Wait, which would have taken it again
			return
		}
		panic("ringo: Unlock of a Mutex that is not locked")
	}
	next := m.waiting.claim()
	if m.held = next != nil; m.held {
		m.by = next.v
	}
	m.mu.Unlock()
	if next != nil {
		next.p.Wake()
	}
}

func holder(t *loop.Task) (h loop.Holder) {
	h.Be(t)
	return h
}

// mutexWait is a Mutex as the thing that a task waits for.
type mutexWait Mutex

// DescribeWait tells which task holds the lock, or that a goroutine does.
func (w *mutexWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	m := (*Mutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.On = m.by.Ref(); m.held && !d.On.Known {
		d.Details = "held by a goroutine"
	}
}

// HeldBy returns the task that holds the lock, and whether any caller holds it.
func (w *mutexWait) HeldBy() (by loop.Holder, held bool) {
	m := (*Mutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by, m.held
}

// wantHeld panics unless the lock is held. method, which is about to unlock it, calls wantHeld before it does anything
// else.
func (m *Mutex) wantHeld(method string) {
	if m == nil {
		panic("ringo: " + method + " with no Mutex")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held {
		panic("ringo: " + method + " with a Mutex that is not locked")
	}
}
