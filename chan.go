package ringo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"ringo/internal/loop"
)

// ErrClosed is returned by operations on a Chan, Watch or Broadcast that is closed.
var ErrClosed = errors.New("ringo: the Chan, Watch or Broadcast is closed")

// A Chan is a channel that parks tasks that have to wait, where a Go channel would stop their loop. Tasks of any loop
// and ordinary goroutines can share one. Values are received in the order in which they were sent, and waiting callers
// are served in order of arrival. NewChan makes it; the zero Chan is unbuffered, like NewChan(0).
//
// A value is delivered once or not at all, and the error says which: Send returns nil if and only if the value is in
// the channel or was received, and a Recv that returns an error has taken no value. A cancel or timeout that comes
// after the delivery is too late; the next wait fails instead.
type Chan[T any] struct {
	id        atomic.Uint64 // determines the order in which Select takes the locks, see order
	mu        sync.Mutex
	closed    bool
	buffer    []T
	first, n  int // index of the oldest value in buffer, and number of values
	senders   line[T]
	receivers line[T]
	spare     waiterPool[T]
}

var chans atomic.Uint64

// NewChan makes a channel that buffers up to capacity values. With 0 each Send waits for its receiver. It panics if
// capacity is negative.
func NewChan[T any](capacity int) *Chan[T] {
	if capacity < 0 {
		panic(fmt.Sprintf("ringo: NewChan(%d)", capacity))
	}
	return &Chan[T]{buffer: make([]T, capacity)}
}

// Send sends v, and waits until there is room or a receiver: a task parks, a goroutine blocks. It fails with ErrClosed
// after Close, even if Close comes while it waits. A task's wait also ends with context.Canceled when the task is
// cancelled, and with their errors when a Loop.WithTimeout or WithContext ends; a goroutine's wait does not. A
// cancelled task can still send if it need not wait, within the bound at Loop.WithTimeout. Any goroutine may call it.
func (c *Chan[T]) Send(v T) error {
	if c == nil {
		return ofNil("Chan.Send")
	}
	if err := loop.ChargeAndYield(); err != nil {
		return err
	}
	c.mu.Lock()
	to, done, err := c.send(v)
	if !done {
		_, err = c.senders.wait(noContext, &c.mu, &c.spare, v, "Chan.Send", nil)
	}
	c.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
	return err
}

// SendContext is like Send, but also returns when ctx is done, with the same errors as Mutex.LockContext. If ctx is
// already done, it sends nothing. A nil ctx never ends. Any goroutine may call it; a task parks.
func (c *Chan[T]) SendContext(ctx context.Context, v T) error {
	if c == nil {
		return ofNil("Chan.SendContext")
	}
	if err := chargeIn(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	to, done, err := c.send(v)
	if !done {
		_, err = c.senders.wait(ctx, &c.mu, &c.spare, v, "Chan.Send", nil)
	}
	c.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
	return err
}

// Recv takes the oldest value, and waits until there is one: a task parks, a goroutine blocks. After Close it returns
// the remaining values, then ErrClosed. A task's wait can also end as described at Send. Any goroutine may call it.
func (c *Chan[T]) Recv() (v T, err error) {
	if c == nil {
		return v, ofNil("Chan.Recv")
	}
	if err := loop.ChargeAndYield(); err != nil {
		return v, err
	}
	c.mu.Lock()
	v, from, done, err := c.recv()
	if !done {
		v, err = c.receivers.wait(noContext, &c.mu, &c.spare, v, "Chan.Recv", nil)
	}
	c.mu.Unlock()
	if from != nil {
		from.p.Wake()
	}
	return v, err
}

// RecvContext is like Recv, but also returns when ctx is done, with the same errors as Mutex.LockContext. If ctx is
// already done, it takes nothing. A nil ctx never ends. Any goroutine may call it; a task parks.
func (c *Chan[T]) RecvContext(ctx context.Context) (v T, err error) {
	if c == nil {
		return v, ofNil("Chan.RecvContext")
	}
	if err := chargeIn(ctx); err != nil {
		return v, err
	}
	c.mu.Lock()
	v, from, done, err := c.recv()
	if !done {
		v, err = c.receivers.wait(ctx, &c.mu, &c.spare, v, "Chan.Recv", nil)
	}
	c.mu.Unlock()
	if from != nil {
		from.p.Wake()
	}
	return v, err
}

// TrySend sends v if that need not wait, and reports whether it did; after Close it returns false. Any goroutine may
// call it.
func (c *Chan[T]) TrySend(v T) bool {
	loop.Charge()
	if c == nil {
		return false // like a nil channel of Go
	}
	c.mu.Lock()
	to, done, err := c.send(v)
	c.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
	return done && err == nil
}

// TryRecv takes the oldest value if there is one, and reports whether there was. Any goroutine may call it.
func (c *Chan[T]) TryRecv() (v T, ok bool) {
	loop.Charge()
	if c == nil {
		return v, false
	}
	c.mu.Lock()
	v, from, done, err := c.recv()
	c.mu.Unlock()
	if from != nil {
		from.p.Wake()
	}
	return v, done && err == nil
}

// Close closes the channel. Present and later calls of Send fail with ErrClosed; those of Recv do so once all buffered
// values have been received. It does not wait. Closing again does nothing. Any goroutine may call it.
func (c *Chan[T]) Close() {
	if c == nil {
		panic(ofNil("Chan.Close"))
	}
	var refused claimedWaiters[T]
	c.mu.Lock()
	c.closed = true
	for _, q := range []*line[T]{&c.receivers, &c.senders} {
		for w := q.claim(); w != nil; w = q.claim() {
			w.refused = true
			refused.add(w)
		}
	}
	c.mu.Unlock()
	refused.wake()
}

// Len returns how many values are buffered in the channel. Any goroutine may call it.
func (c *Chan[T]) Len() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Cap returns how many values the channel can hold. Any goroutine may call it.
func (c *Chan[T]) Cap() int {
	if c == nil {
		return 0
	}
	return len(c.buffer)
}

// send sends v if it can do so without waiting; otherwise done is false. If to is not nil, it is the waiting receiver
// that has got v, and the caller wakes it after unlocking. The caller holds the lock.
func (c *Chan[T]) send(v T) (to *waiter[T], done bool, err error) {
	if c.closed {
		return nil, true, ErrClosed
	}
	if to = c.receivers.claim(); to != nil {
		to.v = v
		return to, true, nil
	}
	if c.n < len(c.buffer) {
		c.put(v)
		return nil, true, nil
	}
	return nil, false, nil
}

// recv takes a value if it can do so without waiting; otherwise done is false. If from is not nil, it is the sender
// whose wait has ended, and the caller wakes it after unlocking. The caller holds the lock.
func (c *Chan[T]) recv() (v T, from *waiter[T], done bool, err error) {
	if c.n > 0 {
		v = c.pop()
		if from = c.senders.claim(); from != nil {
			c.put(from.v)
		}
		return v, from, true, nil
	}
	if from = c.senders.claim(); from != nil {
		return from.v, from, true, nil
	}
	if c.closed {
		return v, nil, true, ErrClosed
	}
	return v, nil, false, nil
}

func (c *Chan[T]) put(v T) {
	at := c.first + c.n
	if at >= len(c.buffer) {
		at -= len(c.buffer)
	}
	c.buffer[at] = v
	c.n++
}

func (c *Chan[T]) pop() T {
	var none T
	v := c.buffer[c.first]
	c.buffer[c.first] = none
	if c.first++; c.first == len(c.buffer) {
		c.first = 0
	}
	c.n--
	return v
}
