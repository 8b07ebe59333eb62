package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// Mutex is a lock that parks a task which has to wait, where a sync.Mutex would stop
// its loop. Tasks of any loop and ordinary goroutines may use one together, and pass
// it on in order of arrival: Unlock passes it to the first caller that waits. The zero
// value is unlocked. It must not be copied after its first use. It is a sync.Locker.
//
// Tasks of one loop need it only for what must not change while they park: between
// two waits a task has its loop to itself.
type Mutex struct {
	mu      sync.Mutex
	held    bool
	by      loop.Holder // the task that has it, if it is held
	waiting line[loop.Holder]
	spare   waiterPool[loop.Holder]
}

var _ sync.Locker = (*Mutex)(nil)

// Lock takes the lock, and waits for it: a task parks, a goroutine blocks. It returns
// with the lock in any case, so nothing ends its wait: a cancelled task waits on, in a
// Loop.WithTimeout too, and whoever has the lock must not wait for that task. LockContext
// gives up. Any goroutine may call it.
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

// LockContext is Lock with a wait that ends: when ctx is done, or the caller is a task
// that is cancelled or whose Loop.WithTimeout or WithContext is over. nil means that the
// caller has the lock, anything else that it has not, and is the reason: context.Canceled,
// os.ErrDeadlineExceeded, the context's cause. With a ctx that is done it fails even if
// the lock is free; a cancelled task still gets one that is free, if its ctx is another
// than its Loop.Context. A nil ctx never ends. Any goroutine may call it.
//
// It does not allocate if ctx is nil, can't be done, as context.Background, or is the
// task's Loop.Context.
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

// TryLock takes the lock if it is free, and reports whether it did. It does not wait.
// Any goroutine may call it.
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

// Unlock passes the lock to the first caller that waits, or leaves it free. It does not
// wait, and works in a task that was cancelled. As with sync, another task or goroutine
// may unlock than the one that locked. It panics if the lock is free. Any goroutine may call it.
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

// mutexWait is a Mutex as what a task waits for.
type mutexWait Mutex

// DescribeWait tells who has it.
func (w *mutexWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	m := (*Mutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.On = m.by.Ref(); m.held && !d.On.Known {
		d.Details = "held by a goroutine"
	}
}

// HeldBy tells which task has it.
func (w *mutexWait) HeldBy() (by loop.Holder, held bool) {
	m := (*Mutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by, m.held
}

// wantHeld panics for a method that unlocks, before it has done anything else.
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
