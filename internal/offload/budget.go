package offload

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Process is the budget that all drivers of this process share. A blocked call takes a thread: 64 keep a disk's queue
// full, and are few beside the 10,000 threads at which the runtime ends the program.
var Process = NewBudget(64)

// Budget bounds the workers of many pools together. Each pool has one worker of its own and borrows the others. Any
// goroutine may use it.
type Budget struct {
	wants atomic.Int32 // the length of the list

	mu   sync.Mutex // taken while a pool's is held, never the other way round
	free int
	head *Pool // pools that wait for a loan, the longest first, linked by wantsNext
	tail *Pool
}

// NewBudget makes a budget of so many workers, in addition to the one that each pool has.
func NewBudget(loans int) *Budget {
	if loans < 0 {
		panic(fmt.Sprintf("offload: budget of %d workers", loans))
	}
	return &Budget{free: loans}
}

// borrow takes a loan for p. If none is free, it puts p into the list, and p gets one later.
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

// giveBack passes a loan to the pool that has waited longest and still needs it. The caller holds no pool's mutex.
func (b *Budget) giveBack() {
	for p := b.next(); p != nil; p = b.next() {
		if p.lend() {
			return
		}
	}
}

// next takes the first pool out of the list. If the list is empty, the loan becomes free.
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
