package bufs

import (
	"fmt"
	"slices"
	"sync/atomic"

	"ringo/internal/invariant"
	"ringo/internal/rt/gmark"
)

// Ring is the kernel's side of a pool: a queue of buffers that it may fill. *uring.BufRing is one.
type Ring interface {
	// Add queues a buffer, which the kernel does not see before Commit.
	Add(mem []byte, id uint16)
	// Commit shows the kernel what was added.
	Commit()
}

// Pool holds a loop's buffers, all of one size. The loop's thread owns it: only that thread may call its methods, and
// the methods of its Buffers, except where they say otherwise. Any goroutine may release a Lease.
//
// A buffer is in one of these places:
//
//	free ──Refill───▶ in the kernel's ring ──Filled──▶ held ──Put, Release──▶ free
//	free ──LendOne──▶ in one system call ────Filled──▶ held
//	free ──Take─────▶ held
//
// Buffers that other goroutines have released wait in a list of their own until the loop looks.
type Pool struct {
	size int
	max  int // buffers that may exist
	warm int // free buffers whose memory is kept
	mark *gmark.Mark

	free      *Buffer // last in, first out: the top one is warm in the cache
	old       *Buffer // free since before the last Trim
	freeCount int     // of both
	count     int
	leases    int // leases that have not ended, or of whose end the loop does not know yet

	ring   Ring
	byID   []*Buffer
	lent   int // in the kernel's ring
	target int // how many to keep there

	returned atomic.Pointer[Buffer] // released by other goroutines
}

// Buffer is one buffer of a Pool. It is held by the caller that has taken it or got it.
type Buffer struct {
	pool *Pool
	mem  []byte
	next *Buffer // in the free list, the returned list, or the holder's list
	id   uint32
	gen  atomic.Uint32
	held *atomic.Int32 // counts the lease, if there is one
	// Off and End bound the bytes that the holder still needs.
	Off, End int
}

// NewPool makes a pool of plain memory that grows on demand up to max buffers of size bytes, and keeps the memory of
// at most warm free ones. mark shows whether a release runs on the loop's own thread.
func NewPool(max, warm, size int, mark *gmark.Mark) *Pool {
	if max < 1 || size < 1 {
		panic(fmt.Sprintf("buf: pool of %d buffers of %d bytes", max, size))
	}
	return &Pool{size: size, max: max, warm: warm, mark: mark}
}

// NewRingPool makes a pool of n buffers, n at most 32768, that Lend gives to the kernel. Their memory is one piece of
// the Go heap, so it lives as long as any lease on it. The kernel's ring is kept filled with target buffers, not all
// n, so that few buffers circulate and stay in the cache.
func NewRingPool(n, target, size int, mark *gmark.Mark) *Pool {
	if n > 1<<15 {
		panic(fmt.Sprintf("buf: ring of %d buffers, %d at most", n, 1<<15))
	}
	p := NewPool(n, n, size, mark)
	p.target = min(target, n)
	p.byID = make([]*Buffer, n)
	arena := make([]byte, n*size)
	buffers := make([]Buffer, n)
	for i := n - 1; i >= 0; i-- {
		b := &buffers[i]
		b.pool, b.id = p, uint32(i)
		b.mem = arena[i*size : (i+1)*size : (i+1)*size]
		p.byID[i] = b
		p.push(b)
	}
	p.count = n
	return p
}

// Size returns the size of a buffer in bytes.
func (p *Pool) Size() int { return p.size }

// Max returns how many buffers the pool may have.
func (p *Pool) Max() int { return p.max }

// InUse returns how many buffers connections and leases hold.
func (p *Pool) InUse() int {
	p.collect()
	return p.count - p.freeCount - p.lent
}

// Leases returns how many buffers are leased.
func (p *Pool) Leases() int {
	p.collect()
	return p.leases
}

// Made returns how many buffers have memory.
func (p *Pool) Made() int { return p.count }

// Lent returns how many buffers the kernel may fill now, or has filled with completions that were not looked at yet.
func (p *Pool) Lent() int { return p.lent }

// Lends reports whether the pool has a ring.
func (p *Pool) Lends() bool { return p != nil && p.ring != nil }

// Available returns how many buffers are free or lent.
func (p *Pool) Available() int {
	p.collect()
	return p.freeCount + p.lent
}

// Lend gives the pool's buffers to the kernel through r.
func (p *Pool) Lend(r Ring) {
	if p.byID == nil {
		panic("buf: a pool made by NewPool has no ids to lend by")
	}
	p.ring = r
	p.Refill()
}

// Reclaim takes the lent buffers back, after the kernel's ring is gone, except those with the ids in filled: they came
// with completions that were not looked at yet, for which Filled will still be called.
func (p *Pool) Reclaim(filled []uint16) {
	if p.ring == nil {
		return
	}
	p.ring = nil
	for i := len(p.byID) - 1; i >= 0; i-- {
		if b := p.byID[i]; b.state() == lentOut && !slices.Contains(filled, uint16(i)) {
			p.lent--
			p.push(b)
		}
	}
}

// Refill fills up the kernel's ring. The driver calls it before it enters.
func (p *Pool) Refill() {
	if p == nil || p.ring == nil || p.lent >= p.target {
		return
	}
	p.collect()
	added := 0
	for p.lent < p.target && p.free != nil {
		b := p.pop()
		b.setState(lentOut)
		p.ring.Add(b.mem, uint16(b.id))
		p.lent++
		added++
	}
	if added > 0 {
		p.ring.Commit()
	}
}

// LendOne lends the warmest free buffer to one system call, for a driver that fills buffers itself. Filled takes it
// over by its id, as if it had come through a ring; if it stayed empty, Unlend takes it back. ok is false if no buffer
// is free. LendOne panics on a pool made by NewPool, whose buffers have no ids.
func (p *Pool) LendOne() (mem []byte, id uint16, ok bool) {
	if p.byID == nil {
		panic("buf: a pool made by NewPool has no ids to lend by")
	}
	if p.free == nil {
		if p.collect(); p.free == nil {
			return nil, 0, false
		}
	}
	b := p.pop()
	b.setState(lentOut)
	p.lent++
	return b.mem, uint16(b.id), true
}

// Unlend takes back a buffer of LendOne that stayed empty, which will be the next one to be lent. It panics on an id
// that was not lent.
func (p *Pool) Unlend(id uint16) {
	b := p.byID[id]
	if b.state() != lentOut {
		panic(fmt.Sprintf("buf: buffer %d unlent, but it was not lent", id))
	}
	p.lent--
	p.push(b)
}

// Filled takes over a buffer into which the kernel has put n bytes, by the id in the completion. It panics on an id
// that was not lent: then a completion would have been counted twice.
func (p *Pool) Filled(id uint16, n int) *Buffer {
	b := p.byID[id]
	if b.state() != lentOut {
		panic(fmt.Sprintf("buf: buffer %d filled, but it was not lent", id))
	}
	p.lent--
	b.setState(held)
	b.Off, b.End = 0, n
	return b
}

// Take returns the warmest free buffer, or makes one. It returns nil at the pool's bound.
func (p *Pool) Take() *Buffer {
	if p.free != nil || p.restock() {
		b := p.pop()
		b.setState(held)
		b.Off, b.End = 0, 0
		return b
	}
	if p.count >= p.max {
		return nil
	}
	b := &Buffer{pool: p, id: uint32(p.count), mem: make([]byte, p.size)}
	p.count++
	b.setState(held)
	return b
}

// restock looks for a free buffer among those that others have released, and those from before the last Trim.
func (p *Pool) restock() bool {
	if p.collect(); p.free == nil && p.old != nil {
		p.free, p.old = p.old, p.old.next
		p.free.next = nil
	}
	return p.free != nil
}

// keptMax is how many free buffers of a plain pool every Trim leaves.
const keptMax = 4

// Spare reports whether so many buffers are free that Trim may free some.
func (p *Pool) Spare() bool { return p.byID == nil && p.freeCount > keptMax }

// Trim leaves the buffers that have been free since the last Trim to the garbage collector, except keptMax, and
// reports whether more are free now. It does nothing for a ring's buffers, whose memory is one piece.
func (p *Pool) Trim() (more bool) {
	if p.byID != nil {
		return false
	}
	p.collect()
	for p.old != nil {
		b := p.old
		p.old, b.next = b.next, nil
		if p.freeCount > keptMax {
			p.freeCount--
			p.count--
			continue
		}
		b.next, p.free = p.free, b
	}
	p.old, p.free = p.free, nil
	return p.Spare()
}

// Put returns a held buffer to the pool. There must be no lease on it.
func (p *Pool) Put(b *Buffer) {
	b.gen.Add(1)
	p.put(b)
}

func (p *Pool) put(b *Buffer) {
	if b.pool != p || b.state() != held {
		panic(fmt.Sprintf("buf: buffer %d given back twice, or to another pool", b.id))
	}
	invariant.Poison(b.mem)
	if p.byID == nil && p.freeCount >= p.warm {
		p.count-- // left to the garbage collector
		b.setState(free)
		return
	}
	p.push(b)
}

// release is Put for the holder of a lease, on any goroutine.
func (p *Pool) release(b *Buffer) {
	if p.mark != nil && p.mark.IsCurrent() {
		p.leases--
		p.put(b)
		return
	}
	for {
		head := p.returned.Load()
		b.next = head
		if p.returned.CompareAndSwap(head, b) {
			return
		}
	}
}

// collect moves buffers that other goroutines have released to the free list. Those goroutines only push, and collect
// takes the whole list, so it does no harm if a buffer returns in between.
func (p *Pool) collect() {
	if p.returned.Load() == nil {
		return
	}
	for b := p.returned.Swap(nil); b != nil; {
		next := b.next
		p.leases--
		p.put(b)
		b = next
	}
}

func (p *Pool) push(b *Buffer) {
	b.setState(free)
	b.next = p.free
	p.free = b
	p.freeCount++
}

func (p *Pool) pop() *Buffer {
	b := p.free
	p.free = b.next
	b.next = nil
	p.freeCount--
	return b
}
