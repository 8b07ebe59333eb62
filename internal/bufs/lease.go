package bufs

import (
	"fmt"
	"sync/atomic"
)

// Lease is a buffer that a user holds, with the bytes that came in it. It is a value: copies stand for the same
// buffer, which must be released once. The zero Lease is empty. It has only two words, because each copy may lie in
// the frame of a parked task.
type Lease struct {
	buffer *Buffer // does not change while the lease lasts
	gen    uint32
}

// Bytes returns the bytes that came. The caller may read and write them until Release; afterwards the memory has
// another user. Any goroutine may call it.
func (b Lease) Bytes() []byte {
	if b.buffer == nil {
		return nil
	}
	return b.buffer.Unread()
}

// Release returns the buffer. Any goroutine may call it, even after the loop has ended. Releasing the zero Lease does
// nothing. Releasing a buffer twice panics, because by then it may hold another connection's bytes.
func (b Lease) Release() {
	if b.buffer == nil {
		return
	}
	b.end()
	if p := b.buffer.pool; p != nil {
		p.release(b.buffer)
	}
}

// Take ends the lease as Release does, and hands the buffer to the caller, which must be the pool's owner. It panics
// on the zero Lease.
func (b Lease) Take() *Buffer {
	b.end()
	if p := b.buffer.pool; p != nil {
		p.leases--
	}
	return b.buffer
}

// end ends the lease, which must be the buffer's present one.
func (b Lease) end() {
	if !b.buffer.gen.CompareAndSwap(b.gen, b.gen+1) {
		panic(fmt.Sprintf("buf: lease released twice (buffer %d, generation %d, now %d)",
			b.buffer.id, b.gen, b.buffer.gen.Load()))
	}
	if b.buffer.held != nil {
		b.buffer.held.Add(-1)
	}
}

// Of makes a lease of plain memory, for callers that need a Lease. Releasing it returns nothing to a pool. held, if
// not nil, counts the lease until then. Any goroutine may call it.
func Of(p []byte, held *atomic.Int32) Lease {
	b := &Buffer{mem: p, End: len(p)}
	return b.Lease(held)
}

// From reports whether the lease holds a buffer of p.
func (b Lease) From(p *Pool) bool { return b.buffer != nil && b.buffer.pool == p }
