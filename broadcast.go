package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
)

// A Broadcast delivers each value to all its subscribers, in the order in which values were published. Publishing never
// waits: the Broadcast keeps a fixed number of values, and a subscriber that falls further behind misses the oldest
// ones, and learns how many it has missed. Tasks of any loop and ordinary goroutines can share one. NewBroadcast makes
// it; the zero Broadcast keeps one value. It must not be copied after its first use.
//
// A value is kept, for subscribers that are behind, until as many newer ones have been published as the Broadcast
// keeps; it is not garbage-collected before.
type Broadcast[T any] struct {
	mu      sync.Mutex
	ring    []T
	next    uint64 // number of values published so far
	closed  bool
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// NewBroadcast makes a Broadcast that keeps up to capacity values. It panics if capacity is less than 1.
func NewBroadcast[T any](capacity int) *Broadcast[T] {
	if capacity < 1 {
		panic(fmt.Sprintf("ringo: NewBroadcast(%d)", capacity))
	}
	return &Broadcast[T]{ring: make([]T, capacity)}
}

// Publish sends v to all present subscribers. It does not wait. After Close it fails with ErrClosed. Any goroutine may
// call it.
func (b *Broadcast[T]) Publish(v T) error {
	loop.Charge()
	if b == nil {
		return ofNil("Broadcast.Publish")
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	if b.ring == nil {
		b.ring = make([]T, 1)
	}
	b.ring[b.next%uint64(len(b.ring))] = v
	b.next++
	all := b.waiting.claimAll()
	b.mu.Unlock()
	all.wake()
	return nil
}

// Close closes the Broadcast: Publish fails, and subscribers receive the values that are kept for them, then ErrClosed.
// It does not wait. Closing again does nothing. Any goroutine may call it.
func (b *Broadcast[T]) Close() {
	if b == nil {
		panic(ofNil("Broadcast.Close"))
	}
	b.mu.Lock()
	b.closed = true
	all := b.waiting.claimAll()
	b.mu.Unlock()
	all.wake()
}

// Subscribe returns a Subscription whose first value is the next one published. It needs no Close: an unused one is
// garbage-collected, since the Broadcast does not refer to it. It does not wait. Any goroutine may call it.
func (b *Broadcast[T]) Subscribe() *Subscription[T] {
	if b == nil {
		panic(ofNil("Broadcast.Subscribe"))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Subscription[T]{b: b, at: b.next}
}

// A Subscription receives the values of a Broadcast. If several callers receive from one, each value goes to one of
// them.
type Subscription[T any] struct {
	b  *Broadcast[T]
	at uint64 // number of the value to receive next; guarded by b.mu
}

// MissedError says how many values a Subscription has missed because it was too far behind. The next Recv returns the
// oldest value that the Broadcast still keeps.
type MissedError struct{ Values uint64 }

// Error says how many values were missed.
func (e MissedError) Error() string {
	return fmt.Sprintf("ringo: a Subscription has missed %d values, which came faster than it received", e.Values)
}

// Recv returns the next value, and waits until there is one: a task parks, a goroutine blocks. If the Subscription has
// missed values, Recv first returns a MissedError, once. After Close it returns the values that are kept, then
// ErrClosed. It also returns when ctx is done, and to a task when it is cancelled or its Loop.WithTimeout or
// WithContext ends, with the same errors as Mutex.LockContext; it has taken no value then. A nil ctx never ends. Any
// goroutine may call it.
func (s *Subscription[T]) Recv(ctx context.Context) (v T, err error) {
	if s == nil || s.b == nil {
		return v, ofNil("Subscription.Recv")
	}
	if err := chargeIn(ctx); err != nil {
		return v, err
	}
	b := s.b
	b.mu.Lock()
	for s.at == b.next && err == nil {
		if err = ErrClosed; !b.closed {
			_, err = b.waiting.wait(ctx, &b.mu, &b.spare, struct{}{}, "Subscription.Recv", nil)
		}
	}
	if err == nil {
		v, err = s.next()
	}
	b.mu.Unlock()
	return v, err
}

// next takes the next value, of which there must be one. If values that s has not received are no longer kept, it skips
// them and returns a MissedError instead. The caller holds the lock.
func (s *Subscription[T]) next() (v T, err error) {
	b := s.b
	if behind := b.next - s.at; behind > uint64(len(b.ring)) {
		missed := behind - uint64(len(b.ring))
		s.at += missed
		return v, MissedError{missed}
	}
	v = b.ring[s.at%uint64(len(b.ring))]
	s.at++
	return v, nil
}
