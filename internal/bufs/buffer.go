package bufs

import "sync/atomic"

// Where a buffer is: kept in Off while it is not held.
const (
	held    = 0
	free    = -1
	lentOut = -2
)

func (b *Buffer) state() int {
	if b.Off >= 0 {
		return held
	}
	return b.Off
}

func (b *Buffer) setState(s int) { b.Off = s }

// Mem returns the whole buffer, for a read into it.
func (b *Buffer) Mem() []byte { return b.mem }

// Unread returns the bytes from Off to End.
func (b *Buffer) Unread() []byte { return b.mem[b.Off:b.End:b.End] }

// Pool returns the pool of the buffer; nil if it has none, see Of.
func (b *Buffer) Pool() *Pool { return b.pool }

// Next returns the buffer behind this one in its holder's list.
func (b *Buffer) Next() *Buffer { return b.next }

// SetNext sets the buffer behind this one in its holder's list.
func (b *Buffer) SetNext(n *Buffer) { b.next = n }

// Lease hands the buffer and its unread bytes to a user, who returns it by Release. The holder must not touch it from
// now on. held, if not nil, counts the lease until then.
func (b *Buffer) Lease(held *atomic.Int32) Lease {
	if held != nil {
		held.Add(1)
	}
	b.held = held
	if b.pool != nil {
		b.pool.leases++
	}
	return Lease{buffer: b, gen: b.gen.Load()}
}
