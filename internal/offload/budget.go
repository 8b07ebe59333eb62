package offload

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Process is the budget that the drivers of this process share. A blocked call is
// a thread: 64 keep a disk's queue full, and are little beside the 10,000 threads
// at which the runtime ends the program.
var Process = NewBudget(64)

// Budget bounds the workers of many pools together. Each pool has one worker of
// its own and borrows the others here. Any goroutine may use it.
type Budget struct {
	wants atomic.Int32 // pools in the list

	mu   sync.Mutex // taken while a pool's is held, never the other way round
	free int
	head *Pool // who asked in vain, the longest ago first, linked by wantsNext
	tail *Pool
}

// NewBudget makes a budget of so many workers, beside the one of each pool.
func NewBudget(loans int) *Budget {
	if loans < 0 {
		panic(fmt.Sprintf("offload: budget of %d workers", loans))
	}
	return &Budget{free: loans}
}

// borrow takes a loan for p. If there is none p gets the next one that comes free.
func (b *Budget) borrow(p *Pool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free > 0 {
		b.free--
		return true
	}
	if !p.wants {
		p.wants = true
		if b.tail == nil {
			b.head = p
		} else {
			b.tail.wantsNext = p
		}
		b.tail = p
		b.wants.Add(1)
	}
	return false
}

// wanted reports whether a pool other than p waits for a loan.
func (b *Budget) wanted(p *Pool) bool {
	if b == nil || b.wants.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head != nil && (b.head != p || p.wantsNext != nil)
}

// giveBack passes a loan to who has waited longest and still has use for it. No
// pool's mutex may be held.
func (b *Budget) giveBack() {
	for p := b.next(); p != nil; p = b.next() {
		if p.lend() {
			return
		}
	}
}

// next takes the first pool out of the list. If there is none the loan is free.
func (b *Budget) next() *Pool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.head
	if p == nil {
		b.free++
		return nil
	}
	if b.head = p.wantsNext; b.head == nil {
		b.tail = nil
	}
	p.wantsNext, p.wants = nil, false
	b.wants.Add(-1)
	return p
}
