package ringo

import (
	"sync"

	"ringo/internal/loop"
)

// Mutex is a lock that parks a task which has to wait, where a sync.Mutex would stop
// its loop. Tasks of any loop and ordinary goroutines may use one together, and pass
// it on in order of arrival: Unlock passes it to the first caller that waits. The zero
// value is unlocked. It must not be copied after its first use.
//
// Tasks of one loop need it only for what must not change while they park: between
// two waits a task has its loop to itself.
type Mutex struct {
	mu      sync.Mutex
	held    bool
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// Lock takes the lock, and waits for it: a task parks, a goroutine blocks. nil means
// that the caller has it. Anything else means that it has not, and is what ended the
// wait of a task: context.Canceled, or os.ErrDeadlineExceeded in a Loop.WithTimeout;
// goroutines are never refused. A cancelled task still gets a lock that is free. Any
// goroutine may call it.
func (m *Mutex) Lock() error {
	if m == nil {
		return ofNil("Mutex.Lock")
	}
	if err := loop.ChargeAndYield(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held {
		m.held = true
		return nil
	}
	_, err := m.waiting.wait(&m.mu, &m.spare, struct{}{})
	return err
}

// TryLock takes the lock if it is free, and reports whether it did. It does not wait.
// Any goroutine may call it.
func (m *Mutex) TryLock() bool {
	if m == nil {
		return false
	}
	loop.Charge()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held {
		return false
	}
	m.held = true
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
		panic("ringo: Unlock of a Mutex that is not locked")
	}
	next := m.waiting.claim()
	m.held = next != nil
	m.mu.Unlock()
	if next != nil {
		next.p.Wake()
	}
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

// relock takes the lock for who has to have it, cancelled or not.
func (m *Mutex) relock() {
	if l, _ := loop.Current(); l != nil {
		l.Shield()
		defer l.Unshield()
	}
	if err := m.Lock(); err != nil {
		panic("ringo: a shielded Lock was refused: " + err.Error())
	}
}
