package ringo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"ringo/internal/loop"
)

// ErrClosed says that a Chan was closed.
var ErrClosed = errors.New("ringo: the Chan is closed")

// Chan is a channel that parks a task which has to wait, where a Go channel would stop
// its loop. Tasks of any loop and ordinary goroutines may use one together: it hands
// values from one loop to another, and between tasks and goroutines. Values come out
// in the order in which they were sent, and callers that wait are served in order of
// arrival. NewChan makes it;
// the zero Chan holds nothing, as NewChan(0).
//
// A value is delivered once or not at all, and the error says which: Send returns nil
// exactly if the value is in the channel or with a receiver, and Recv that returns an
// error has taken none. A cancel or timeout that comes after the delivery is too late,
// and the next wait is told of it.
type Chan[T any] struct {
	id        atomic.Uint64 // the order in which Select takes the locks, see order
	mu        sync.Mutex
	closed    bool
	buffer    []T
	first, n  int // where in buffer the oldest is, and how many there are
	senders   line[T]
	receivers line[T]
	spare     waiterPool[T]
}

var chans atomic.Uint64

// NewChan makes a channel that holds so many values that nobody has received yet. With
// 0 each Send waits for its receiver. It panics if capacity is negative.
func NewChan[T any](capacity int) *Chan[T] {
	if capacity < 0 {
		panic(fmt.Sprintf("ringo: NewChan(%d)", capacity))
	}
	return &Chan[T]{buffer: make([]T, capacity)}
}

// Send sends v, and waits for room or for a receiver: a task parks, a goroutine
// blocks. ErrClosed after Close, also if it comes while Send waits. A task's wait may
// also end with context.Canceled, or in a Loop.WithTimeout or WithContext that is over
// with what that says; goroutines wait on. A cancelled task can still send what need not
// wait. Any goroutine may call it.
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

// SendContext is Send with a wait that ends, too, when ctx is done, with an error as that
// of Mutex.LockContext. With a ctx that is done it sends nothing. A nil ctx never ends.
// Any goroutine may call it.
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

// Recv takes the oldest value, and waits until there is one: a task parks, a goroutine
// blocks. After Close it returns what is left, then ErrClosed. A task's wait may also end
// as that of Send. Any goroutine may call it.
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

// RecvContext is Recv with a wait that ends, too, when ctx is done, with an error as that
// of Mutex.LockContext. With a ctx that is done it takes nothing. A nil ctx never ends.
// Any goroutine may call it.
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

// TrySend sends v if that need not wait, and reports whether it did; so not after
// Close. Any goroutine may call it.
func (c *Chan[T]) TrySend(v T) bool {
	loop.Charge()
	if c == nil {
		return false // as a channel of Go's that is nil
	}
	c.mu.Lock()
	to, done, err := c.send(v)
	c.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
	return done && err == nil
}

// TryRecv takes the oldest value if there is one, and reports whether there was. Any
// goroutine may call it.
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

// Close ends the sending: callers that wait in Send, or call it later, get ErrClosed,
// and those in Recv once there is nothing left to receive. What is in the channel stays
// to be received. It does not wait, and closing again does nothing. Any goroutine may
// call it.
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

// Len is how many values are in the channel, unreceived. Any goroutine may call it.
func (c *Chan[T]) Len() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Cap is how many values the channel holds. Any goroutine may call it.
func (c *Chan[T]) Cap() int {
	if c == nil {
		return 0
	}
	return len(c.buffer)
}

// send sends v if that need not wait. to is who has it now and is to be woken. The
// caller holds the lock.
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

// recv takes a value if there is one. from is whose Send that ended, and is to be
// woken. The caller holds the lock.
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
