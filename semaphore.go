package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
)

// A Semaphore hands out units to callers that need one or several, in order of arrival: a caller that needs few units
// does not overtake an earlier one that needs many. Tasks of any loop and ordinary goroutines can share one.
// NewSemaphore makes it; it must not be copied.
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

// Acquire waits for n units and takes them: a task parks, a goroutine blocks. If it returns nil the caller has all n
// units, otherwise none. It also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout
// or WithContext ends, with the same errors as Mutex.LockContext. If ctx is already done it fails even if units are
// free. A cancelled task still gets units if they are free and no caller waits, unless ctx is its Loop.Context. Acquire
// fails at once if the semaphore has fewer than n units in all. A nil ctx never ends. It panics if n is negative. Any
// goroutine may call it.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	checkUnits("Acquire", n)
	if err := chargeIn(ctx); err != nil {
		return err
	}
	if s == nil {
		return ofNil("Semaphore.Acquire")
	}
	if n > s.size {
		return fmt.Errorf("ringo: Semaphore.Acquire of %d units: there are only %d", n, s.size)
	}
	s.mu.Lock()
	if s.tryAcquire(n) {
		s.mu.Unlock()
		return nil
	}
	var next claimedWaiters[int64]
	_, err := s.waiting.wait(ctx, &s.mu, &s.spare, n, "Semaphore.Acquire", nil)
	if err != nil {
		next = s.grant() // callers that only this one held up
	}
	s.mu.Unlock()
	next.wake()
	return err
}

// TryAcquire takes n units if they are free and no caller waits, and reports whether it did. It does not wait. It
// panics if n is negative. Any goroutine may call it.
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

// Release gives n units back. It does not wait, and works in a cancelled task. It panics if n is negative or more than
// were acquired. Any goroutine may call it.
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

// tryAcquire hands out n units at once if they are free and no caller waits for units.
func (s *Semaphore) tryAcquire(n int64) bool {
	if n > s.size-s.out || !s.waiting.empty() {
		return false
	}
	s.out += n
	return true
}

// grant hands out units to waiting callers in order of arrival, up to the first that needs more than are free.
func (s *Semaphore) grant() claimedWaiters[int64] {
	return s.waiting.claimWhile(func(n int64) bool { return n <= s.size-s.out }, func(n int64) { s.out += n })
}

func checkUnits(method string, n int64) {
	if n < 0 {
		panic(fmt.Sprintf("ringo: Semaphore.%s of %d units", method, n))
	}
}
