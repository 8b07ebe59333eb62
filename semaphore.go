package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
)

// Semaphore hands out a number of units to callers that need one or several, in order
// of arrival: a caller that needs many is not passed by later ones that need few. Tasks
// of any loop and ordinary goroutines may use one together. NewSemaphore makes it; it
// must not be copied.
type Semaphore struct {
	size    int64
	mu      sync.Mutex
	out     int64 // units handed out
	waiting line[int64]
	spare   waiterPool[int64]
}

// NewSemaphore makes a semaphore of n units. It panics if n is negative.
func NewSemaphore(n int64) *Semaphore {
	if n < 0 {
		panic(fmt.Sprintf("ringo: NewSemaphore(%d)", n))
	}
	return &Semaphore{size: n}
}

// Acquire takes n units, and waits for them: a task parks, a goroutine blocks. nil
// means that the caller has them, anything else that it has none. The wait ends when ctx
// is done, or when the caller is a task that is cancelled or whose Loop.WithTimeout or
// WithContext is over, with an error as that of Mutex.LockContext. With a ctx that is
// done it fails even if units are free; where they are and nobody waits, a cancelled task
// gets them too, if its ctx is another than its Loop.Context. For more units than there
// are it fails at once. A nil ctx never ends. It panics if n is negative. Any goroutine
// may call it.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	checkUnits("Acquire", n)
	if err := chargeIn(ctx); err != nil {
		return err
	}
	if s == nil {
		return ofNil("Semaphore.Acquire")
	}
	if n > s.size {
		return fmt.Errorf("ringo: Semaphore.Acquire of %d units, of which there are %d", n, s.size)
	}
	s.mu.Lock()
	if s.tryAcquire(n) {
		s.mu.Unlock()
		return nil
	}
	var next claimedWaiters[int64]
	_, err := s.waiting.wait(ctx, &s.mu, &s.spare, n, "Semaphore.Acquire", nil)
	if err != nil {
		next = s.grant() // to those whom only this one was in the way of
	}
	s.mu.Unlock()
	next.wake()
	return err
}

// TryAcquire takes n units if they are there and nobody waits, and reports whether it
// did. It does not wait. It panics if n is negative. Any goroutine may call it.
func (s *Semaphore) TryAcquire(n int64) bool {
	checkUnits("TryAcquire", n)
	loop.Charge()
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tryAcquire(n)
}

// Release returns n units. It does not wait, and works in a task that was cancelled. It panics if n
// is negative or more than were acquired. Any goroutine may call it.
func (s *Semaphore) Release(n int64) {
	checkUnits("Release", n)
	if s == nil {
		panic(ofNil("Semaphore.Release"))
	}
	s.mu.Lock()
	if n > s.out {
		out := s.out
		s.mu.Unlock()
		panic(fmt.Sprintf("ringo: Semaphore.Release of %d units while %d are out", n, out))
	}
	s.out -= n
	next := s.grant()
	s.mu.Unlock()
	next.wake()
}

// tryAcquire hands units out at once, if that is fair.
func (s *Semaphore) tryAcquire(n int64) bool {
	if n > s.size-s.out || !s.waiting.empty() {
		return false
	}
	s.out += n
	return true
}

// grant hands units to those who wait, as far as there are enough for the first.
func (s *Semaphore) grant() (granted claimedWaiters[int64]) {
	for w := s.waiting.first; w != nil && w.v <= s.size-s.out; w = s.waiting.first {
		w.leave()
		if w.p.Claim(w.which) {
			s.out += w.v
			granted.add(w)
		}
	}
	return granted
}

func checkUnits(method string, n int64) {
	if n < 0 {
		panic(fmt.Sprintf("ringo: Semaphore.%s of %d units", method, n))
	}
}
