package ringo

import (
	"context"
	"sync"

	"ringo/internal/loop"
)

// A Watch holds a value of which callers want only the latest version, such as a configuration that can be reloaded.
// Callers can wait for a change; a slow caller misses the values in between. Tasks of any loop and ordinary goroutines
// can share one. The zero Watch has no value yet. It must not be copied after its first use.
//
//	for v, version := w.Get(); ; {
//		use(v)
//		if v, version, err = w.Next(ctx, version); err != nil {
//			return err
//		}
//	}
type Watch[T any] struct {
	mu      sync.Mutex
	v       T
	version uint64
	closed  bool
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// Set sets the value, and wakes all callers that wait in Next. It does not wait. After Close it fails with ErrClosed.
// Any goroutine may call it.
func (w *Watch[T]) Set(v T) error {
	loop.Charge()
	if w == nil {
		return ofNil("Watch.Set")
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.v = v
	w.version++
	all := w.waiting.claimAll()
	w.mu.Unlock()
	all.wake()
	return nil
}

// Get returns the latest value and its version: 1 for the first value, 0 if there is none yet. It does not wait. Any
// goroutine may call it.
func (w *Watch[T]) Get() (v T, version uint64) {
	loop.Charge()
	if w == nil {
		return v, 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.v, w.version
}

// Next returns the latest value and its version once that differs from version, which Get or Next returned earlier.
// With version 0 it returns as soon as there is a value. If it has to wait, a task parks and a goroutine blocks. After
// Close it returns the last value if that is newer, then ErrClosed. It also returns when ctx is done, and to a task
// when it is cancelled or its Loop.WithTimeout or WithContext ends, with the same errors as Mutex.LockContext. If ctx
// is already done it fails, even if there is a newer value. A nil ctx never ends. Any goroutine may call it.
func (w *Watch[T]) Next(ctx context.Context, version uint64) (v T, next uint64, err error) {
	if w == nil {
		return v, version, ofNil("Watch.Next")
	}
	if err := chargeIn(ctx); err != nil {
		return v, version, err
	}
	w.mu.Lock()
	for w.version == version && err == nil {
		if err = ErrClosed; !w.closed {
			_, err = w.waiting.wait(ctx, &w.mu, &w.spare, struct{}{}, "Watch.Next", nil)
		}
	}
	if err == nil {
		v, version = w.v, w.version
	}
	w.mu.Unlock()
	return v, version, err
}

// Close closes the Watch: Set fails from now on, and Next once it has returned the last value. It does not wait.
// Closing again does nothing. Any goroutine may call it.
func (w *Watch[T]) Close() {
	if w == nil {
		panic(ofNil("Watch.Close"))
	}
	w.mu.Lock()
	w.closed = true
	all := w.waiting.claimAll()
	w.mu.Unlock()
	all.wake()
}
