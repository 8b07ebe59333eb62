package ringo

import (
	"context"
	"fmt"
	"sync"

	"ringo/internal/loop"
)

// A Barrier makes a fixed number of callers wait for each other: once all have arrived they go on, and the next round
// begins. Tasks of any loop and ordinary goroutines can share one. NewBarrier makes it; the zero Barrier lets every
// caller pass at once. It must not be copied after its first use.
type Barrier struct {
	size    int
	mu      sync.Mutex
	come    int
	round   uint64
	waiting line[struct{}]
	spare   waiterPool[struct{}]
}

// NewBarrier makes a barrier for n callers. It panics if n is less than 1.
func NewBarrier(n int) *Barrier {
	if n < 1 {
		panic(fmt.Sprintf("ringo: NewBarrier(%d)", n))
	}
	return &Barrier{size: n}
}

// Wait waits until all of the barrier's callers have arrived: a task parks, a goroutine blocks. last is true for the
// caller that arrived last, which did not wait. Wait also returns when ctx is done, and to a task when it is cancelled
// or its Loop.WithTimeout or WithContext ends, with the same errors as Mutex.LockContext. A caller that gets an error
// no longer counts, and another has to arrive in its place. Once all have arrived it is too late to give up: each
// caller gets nil. A nil ctx never ends. Any goroutine may call it.
func (b *Barrier) Wait(ctx context.Context) (last bool, err error) {
	if b == nil {
		return false, ofNil("Barrier.Wait")
	}
	if err := chargeIn(ctx); err != nil {
		return false, err
	}
	b.mu.Lock()
	if b.come++; b.come >= b.size {
		b.come = 0
		b.round++
		all := b.waiting.claimAll()
		b.mu.Unlock()
		all.wake()
		return true, nil
	}
	round := b.round
	_, err = b.waiting.wait(ctx, &b.mu, &b.spare, struct{}{}, "Barrier.Wait", (*barrierWait)(b))
	switch {
	case err == nil:
	case b.round != round:
		err = nil
	default:
		b.come--
	}
	b.mu.Unlock()
	return false, err
}

// barrierWait is a Barrier as the thing that a task waits for.
type barrierWait Barrier

// DescribeWait tells how many callers have arrived.
func (b *barrierWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Details = fmt.Sprintf("%d of %d have come", b.come, b.size)
}
