package bufs

import (
	"fmt"
	"slices"
	"sync/atomic"

	"ringo/internal/invariant"
	"ringo/internal/rt/gmark"
)

// Ring is the kernel's side of a pool: a queue of buffers that it may fill.
// *uring.BufRing is one.
type Ring interface {
	// Add queues a buffer, unseen by the kernel until Commit.
	Add(mem []byte, id uint16)
	// Commit shows the kernel what was added.
	Commit()
}

// Pool holds a loop's buffers, all of one size. The loop's thread owns it: only
// that thread may call its methods, and the methods of its Buffers, unless they
// say otherwise. A Lease may be released anywhere.
//
// A buffer is in one of these places:
//
//	free ──Refill───▶ in the kernel's ring ──Filled──▶ held ──Put, Release──▶ free
//	free ──LendOne──▶ in one system call ────Filled──▶ held
//	free ──Take─────▶ held
//
// and released buffers of other goroutines wait in a list of their own until the
// loop looks.
type Pool struct {
	size int
	max  int // buffers that may exist
	warm int // free ones whose memory is kept
	mark *gmark.Mark

	free      *Buffer // last in, first out: the top one is warm in the cache
	old       *Buffer // free since before the last Trim
	freeCount int     // of both
	count     int
	leases    int // that nobody has ended, or that the loop has not heard of

	ring   Ring
	byID   []*Buffer
	lent   int // in the kernel's ring
	target int // how many to keep there

	returned atomic.Pointer[Buffer] // released by other goroutines
}

// Buffer is one buffer of a Pool, held by whoever took it or was handed it.
type Buffer struct {
	pool *Pool
	mem  []byte
	next *Buffer // in the free list, the returned list, or the holder's list
	id   uint32
	gen  atomic.Uint32
	held *atomic.Int32 // counts the lease, if there is one
	// Off and End bound the bytes that are still of interest to the holder.
	Off, End int
}

// NewPool makes a pool of plain memory that grows on demand up to max buffers of
// size bytes, and keeps the memory of at most warm free ones. mark tells a
// release on the loop's own thread from one elsewhere.
func NewPool(max, warm, size int, mark *gmark.Mark) *Pool {
	if max < 1 || size < 1 {
		panic(fmt.Sprintf("buf: pool of %d buffers of %d bytes", max, size))
	}
	return &Pool{size: size, max: max, warm: warm, mark: mark}
}

// NewRingPool makes a pool of n buffers, n at most 32768, that Lend gives to the
// kernel. Their memory is one piece of the Go heap, so it lives as long as any
// lease on it. The kernel's ring is kept filled with target buffers, not all n:
// a small rotation stays in the cache.
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

// Size is the bytes in each buffer.
func (p *Pool) Size() int { return p.size }

// Max is the pool's bound in buffers.
func (p *Pool) Max() int { return p.max }

// InUse is how many buffers are held, by connections and leases.
func (p *Pool) InUse() int {
	p.collect()
	return p.count - p.freeCount - p.lent
}

// Leases is how many buffers are leased.
func (p *Pool) Leases() int {
	p.collect()
	return p.leases
}

// Made is how many buffers have memory.
func (p *Pool) Made() int { return p.count }

// Lent is how many buffers the kernel may fill right now, or was to have filled
// with completions that nobody has looked at.
func (p *Pool) Lent() int { return p.lent }

// Lends reports whether the pool has a ring.
func (p *Pool) Lends() bool { return p != nil && p.ring != nil }

// Available is how many buffers are free or lent.
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

// Reclaim takes the lent buffers back, after the kernel's ring is gone, but for
// those with the ids in filled: completions that nobody has looked at yet have
// brought them, and Filled is still to come.
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

// Refill tops the kernel's ring up. The driver calls it before it enters.
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

// LendOne lends the warmest free buffer to one system call, for a driver that
// fills buffers itself. Filled takes it over by the id, as if it had come through
// a ring; if nothing was put in it, Unlend takes it back. ok is false if none is
// free. It panics on a pool made by NewPool, whose buffers have no ids.
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

// Unlend takes back a buffer of LendOne that stayed empty. It is the next one
// to be lent. It panics on an id that was not lent.
func (p *Pool) Unlend(id uint16) {
	b := p.byID[id]
	if b.state() != lentOut {
		panic(fmt.Sprintf("buf: buffer %d unlent, but it was not lent", id))
	}
	p.lent--
	p.push(b)
}

// Filled takes over a buffer that the kernel has put n bytes in, by the id in
// the completion. It panics on an id that was not lent, which would be a
// completion counted twice.
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

// Take returns the warmest free buffer, or makes one; nil at the pool's bound.
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

// restock looks for a free buffer elsewhere than in the list of those given back lately.
func (p *Pool) restock() bool {
	if p.collect(); p.free == nil && p.old != nil {
		p.free, p.old = p.old, p.old.next
		p.free.next = nil
	}
	return p.free != nil
}

// keptMax is how many free buffers of a plain pool outlast every Trim.
const keptMax = 4

// Spare reports whether so many buffers are free that Trim may find some to give back.
func (p *Pool) Spare() bool { return p.byID == nil && p.freeCount > keptMax }

// Trim leaves to the collector what has been free since the last Trim, but for a few buffers, and
// reports whether there is more that nobody uses now. The memory of a ring is one piece, which stays.
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

// Put gives a held buffer back. No lease on it may be left.
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
		p.count-- // the collector takes it
		b.setState(free)
		return
	}
	p.push(b)
}

// release is Put by whoever holds a lease, which need not be the owner.
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

// collect moves what other goroutines released to the free list. They only ever
// push and it takes all, so a buffer that comes back in between does no harm.
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
