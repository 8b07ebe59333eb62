package bufs

import (
	"fmt"
	"sync/atomic"
)

// Lease is a buffer in the user's hands, with the bytes that came in it. It is a
// value: copies stand for the same buffer, and it must be released once. The
// zero Lease is empty. It is of two words, since each copy of it may be in the frame of a parked task.
type Lease struct {
	buffer *Buffer // which nobody changes meanwhile
	gen    uint32
}

// Bytes is what came. The caller may read and write it until Release; afterwards
// the memory belongs to somebody else. Any goroutine may call it.
func (b Lease) Bytes() []byte {
	if b.buffer == nil {
		return nil
	}
	return b.buffer.Unread()
}

// Release gives the buffer back. Any goroutine may call it, also after the loop
// has ended. Releasing the zero Lease does nothing; releasing a buffer twice
// panics, because by then it may hold another connection's bytes.
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

// Of makes a lease of plain memory, for callers that need one. Releasing it gives
// nothing back. held, if not nil, counts it until then. Any goroutine may call it.
func Of(p []byte, held *atomic.Int32) Lease {
	b := &Buffer{mem: p, End: len(p)}
	return b.Lease(held)
}

// From reports whether the lease holds a buffer of p.
func (b Lease) From(p *Pool) bool { return b.buffer != nil && b.buffer.pool == p }
