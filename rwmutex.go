package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
)

// An RWMutex is a lock that one writer or any number of readers can hold, like sync.RWMutex, but it parks tasks that
// have to wait. Tasks of any loop and ordinary goroutines can share one. Callers get the lock in order of arrival: a
// reader does not overtake a writer that waits, and readers that wait behind each other get it together. So a caller
// that holds the lock for reading must not lock it again: if a writer has arrived in between, the two wait for each
// other. The zero value is unlocked. It must not be copied after its first use. It is a sync.Locker.
//
// Tasks of one loop need it only for state that must not change while they park: between two waits a task has its loop
// to itself.
type RWMutex struct {
	mu      sync.Mutex
	readers int
	held    bool        // by a writer
	by      loop.Holder // the task that is this writer
	waiting line[rwClaim]
	spare   waiterPool[rwClaim]
}

var _ sync.Locker = (*RWMutex)(nil)

// rwClaim says who wants the lock, and for what.
type rwClaim struct {
	who   loop.Holder
	reads bool
}

// Lock waits for the lock and takes it for writing: a task parks, a goroutine blocks. It always returns with the lock:
// a task keeps waiting even if it is cancelled or its Loop.WithTimeout ends, so the holders must not wait for that
// task. Use LockContext for a wait that can end early. Any goroutine may call it.
func (m *RWMutex) Lock() { m.lock("RWMutex.Lock", false) }

// RLock is like Lock, for reading: a task parks.
func (m *RWMutex) RLock() { m.lock("RWMutex.RLock", true) }

// LockContext is like Lock, but also returns when ctx is done, and to a task when it is cancelled or its
// Loop.WithTimeout or WithContext ends, with the same errors as Mutex.LockContext. The caller has the lock if and only
// if LockContext returns nil. If ctx is already done it fails even if the lock is free. A cancelled task still gets a
// free lock, unless ctx is its Loop.Context. A nil ctx never ends. Any goroutine may call it; a task parks.
func (m *RWMutex) LockContext(ctx context.Context) error {
	return m.lockContext(ctx, "RWMutex.LockContext", false)
}

// RLockContext is like LockContext, for reading: a task parks.
func (m *RWMutex) RLockContext(ctx context.Context) error {
	return m.lockContext(ctx, "RWMutex.RLockContext", true)
}

// TryLock takes the lock for writing if it is free, and reports whether it did. It does not wait. Any goroutine may
// call it.
func (m *RWMutex) TryLock() bool { return m.tryLock(false) }

// TryRLock takes the lock for reading if no writer has it or waits for it, and reports whether it did. It does not
// wait. Any goroutine may call it.
func (m *RWMutex) TryRLock() bool { return m.tryLock(true) }

// Unlock gives back the lock that Lock took, and passes it to the callers that have waited longest. It does not wait,
// and works in a cancelled task. As with sync.RWMutex, a task or goroutine other than the one that locked may unlock.
// It panics if no writer has the lock. Any goroutine may call it.
func (m *RWMutex) Unlock() { m.unlock("Unlock", false) }

// RUnlock gives back the lock that RLock took, as Unlock does. It panics if no reader has the lock.
func (m *RWMutex) RUnlock() { m.unlock("RUnlock", true) }

// RLocker returns a sync.Locker whose Lock and Unlock are RLock and RUnlock.
func (m *RWMutex) RLocker() sync.Locker { return (*readLocker)(m) }

type readLocker RWMutex

func (r *readLocker) Lock()   { (*RWMutex)(r).RLock() }
func (r *readLocker) Unlock() { (*RWMutex)(r).RUnlock() }

func (m *RWMutex) lock(call string, reads bool) {
	if m == nil {
		panic(ofNil(call))
	}
	c := rwClaim{holder(loop.ChargeAndYieldHere()), reads}
	m.mu.Lock()
	if m.may(c) && m.waiting.empty() {
		m.take(c)
	} else {
		m.waiting.waitOn(&m.mu, &m.spare, c, call, (*rwWait)(m))
	}
	m.mu.Unlock()
}

func (m *RWMutex) lockContext(ctx context.Context, call string, reads bool) error {
	if m == nil {
		return ofNil(call)
	}
	if err := chargeIn(ctx); err != nil {
		return err
	}
	_, me := loop.Current()
	c := rwClaim{holder(me), reads}
	m.mu.Lock()
	if m.may(c) && m.waiting.empty() {
		m.take(c)
		m.mu.Unlock()
		return nil
	}
	var next claimedWaiters[rwClaim]
	_, err := m.waiting.wait(ctx, &m.mu, &m.spare, c, call, (*rwWait)(m))
	if err != nil {
		next = m.waiting.claimWhile(m.may, m.take) // callers that only this one held up
	}
	m.mu.Unlock()
	next.wake()
	return err
}

func (m *RWMutex) tryLock(reads bool) bool {
	l, me := loop.Current()
	if l != nil {
		l.Charge()
	}
	if m == nil {
		return false
	}
	c := rwClaim{holder(me), reads}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.may(c) || !m.waiting.empty() {
		return false
	}
	m.take(c)
	return true
}

func (m *RWMutex) unlock(method string, reads bool) {
	if m == nil {
		panic(ofNil("RWMutex." + method))
	}
	m.mu.Lock()
	switch {
	case reads && m.readers > 0:
		m.readers--
	case !reads && m.held:
		m.held = false
	default:
		m.mu.Unlock()
		panic(fmt.Sprintf("ringo: %s of an RWMutex that is not locked for it", method))
	}
	next := m.waiting.claimWhile(m.may, m.take)
	m.mu.Unlock()
	next.wake()
}

// may reports whether the lock can be given to a caller while its present holders have it.
func (m *RWMutex) may(c rwClaim) bool { return !m.held && (c.reads || m.readers == 0) }

// take records that the caller has the lock.
func (m *RWMutex) take(c rwClaim) {
	if c.reads {
		m.readers++
		return
	}
	m.held, m.by = true, c.who
}

// rwWait is an RWMutex as the thing that a task waits for.
type rwWait RWMutex

// DescribeWait tells which task holds the lock for writing, or how many readers hold it.
func (w *rwWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	m := (*RWMutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.held:
		if d.On = m.by.Ref(); !d.On.Known {
			d.Details = "held by a goroutine"
		}
	case m.readers > 0:
		d.Details = fmt.Sprintf("held by %d readers", m.readers)
	}
}

// HeldBy returns the task that holds the lock for writing, and whether a writer holds it.
func (w *rwWait) HeldBy() (by loop.Holder, held bool) {
	m := (*RWMutex)(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by, m.held
}
