package sys

import (
	"fmt"
	"unsafe"
)

// BatchMax is the most messages that a Batch holds. The kernel would take 1024, but more than some tens gain little.
const BatchMax = 64

// Batch is the memory for up to BatchMax messages that one recvmmsg(2) or sendmmsg(2) moves: headers, vectors and
// addresses, which are reused. The slices that a message names belong to the caller, and are lent for the time of a
// call, or of the op that makes it. A Batch is not safe for concurrent use.
type Batch struct {
	msgs     []mmsghdr
	slots    []batchSlot
	from, to int
}

// mmsghdr is struct mmsghdr of the Linux ABI.
type mmsghdr struct {
	msghdr Msghdr
	len    uint32
}

type batchSlot struct {
	addr    Sockaddr
	named   bool
	control []byte
	one     [1]Iovec
	more    []Iovec
}

// NewBatch makes a batch of n messages, 1 to BatchMax.
func NewBatch(n int) *Batch {
	if n < 1 || n > BatchMax {
		panic(fmt.Sprintf("sys: batch of %d messages, want 1 to %d", n, BatchMax))
	}
	return &Batch{msgs: make([]mmsghdr, n), slots: make([]batchSlot, n), to: n}
}

// Cap returns how many messages the batch has room for.
func (b *Batch) Cap() int { return len(b.msgs) }

// Window says which messages the next call moves: from up to but not including to.
// It panics unless 0 ≤ from ≤ to ≤ Cap.
func (b *Batch) Window(from, to int) {
	if from < 0 || to < from || to > len(b.msgs) {
		panic(fmt.Sprintf("sys: messages %d to %d of a batch of %d", from, to, len(b.msgs)))
	}
	b.from, b.to = from, to
}

// Set makes p the bytes of message i: those to send, or the room to receive into.
func (b *Batch) Set(i int, p []byte) {
	s := &b.slots[i]
	s.one[0] = Iovec{Base: unsafe.SliceData(p), Len: uintptr(len(p))}
	b.msgs[i].msghdr.Iov, b.msgs[i].msghdr.Iovlen = &s.one[0], 1
}

// SetVector makes the slices the bytes of message i. It keeps the memory that it needs, so that only a longer vector
// than all before allocates.
func (b *Batch) SetVector(i int, bufs [][]byte) {
	if len(bufs) == 1 {
		b.Set(i, bufs[0])
		return
	}
	s := &b.slots[i]
	s.more = s.more[:0]
	for _, p := range bufs {
		s.more = append(s.more, Iovec{Base: unsafe.SliceData(p), Len: uintptr(len(p))})
	}
	b.msgs[i].msghdr.Iov, b.msgs[i].msghdr.Iovlen = unsafe.SliceData(s.more), uintptr(len(s.more))
}

// SetControl makes p the control messages of message i: those to send, or the room for received ones; nil: there are
// none.
func (b *Batch) SetControl(i int, p []byte) { b.slots[i].control = p }

// SetNamed says whether message i has an address: it is received with its sender's, or sent to the one in Addr instead
// of over the connection.
func (b *Batch) SetNamed(i int, on bool) { b.slots[i].named = on }

// Addr returns the address of message i: to be set before the message is sent, and set once it was received.
func (b *Batch) Addr(i int) *Sockaddr { return &b.slots[i].addr }

// Len returns how many bytes of message i were moved.
func (b *Batch) Len(i int) int { return int(b.msgs[i].len) }

// Flags returns the MSG_ flags with which message i was received.
func (b *Batch) Flags(i int) uint32 { return b.msgs[i].msghdr.OutFlags() }

// Control returns the control messages that message i was received with.
func (b *Batch) Control(i int) []byte {
	s := &b.slots[i]
	return s.control[:min(uintptr(len(s.control)), b.msgs[i].msghdr.Controllen)]
}

// Each calls f for the slices of the window's first n messages, and for their control messages: with the part that was
// moved, or if whole is set with all of it.
func (b *Batch) Each(n int, whole bool, f func(p []byte)) {
	for i := b.from; i < b.from+n; i++ {
		m, left := &b.msgs[i], uintptr(b.msgs[i].len)
		for _, v := range unsafe.Slice(m.msghdr.Iov, m.msghdr.Iovlen) {
			size := v.Len
			if !whole {
				size = min(size, left)
				left -= size
			}
			f(unsafe.Slice(v.Base, size))
		}
		if whole {
			f(b.slots[i].control)
		} else {
			f(b.Control(i))
		}
	}
}

// Left returns how many messages the window has.
func (b *Batch) Left() int { return b.to - b.from }

// Release forgets the slices of the first n messages, so that a batch that is kept keeps nothing else alive.
func (b *Batch) Release(n int) {
	for i := range n {
		b.msgs[i] = mmsghdr{}
		b.slots[i].one[0] = Iovec{}
		b.slots[i].control, b.slots[i].named = nil, false
		clear(b.slots[i].more[:cap(b.slots[i].more)])
	}
}

// arm fills in the fields that a call overwrites.
func (b *Batch) arm(receive bool) {
	for i := b.from; i < b.to; i++ {
		s := &b.slots[i]
		b.msgs[i].len = 0
		b.msgs[i].msghdr.Arm(&s.addr, s.named, s.control, receive)
	}
}

// took records the addresses of the first n messages of the window.
func (b *Batch) took(n int) {
	for i := b.from; i < b.from+n; i++ {
		if b.slots[i].named {
			b.slots[i].addr.SetLen(b.msgs[i].msghdr.Namelen)
		}
	}
}

// Bounds returns the window's bounds, for a kernel that is played in Go.
func (b *Batch) Bounds() (from, to int) { return b.from, b.to }

// Message returns message i for such a kernel: its destination, nil if it has none, its control messages or the room
// for them, and its bytes or the room for them.
func (b *Batch) Message(i int) (to *Sockaddr, control []byte, bufs [][]byte) {
	s := &b.slots[i]
	if s.named {
		to = &s.addr
	}
	m := &b.msgs[i].msghdr
	for _, v := range unsafe.Slice(m.Iov, m.Iovlen) {
		bufs = append(bufs, unsafe.Slice(v.Base, v.Len))
	}
	return to, s.control, bufs
}

// Took records that such a kernel has moved n bytes of message i, with so many bytes of control messages and these
// MSG_ flags; from is the sender of a received message.
func (b *Batch) Took(i, n int, from *Sockaddr, control int, flags uint32) {
	m := &b.msgs[i]
	m.len, m.msghdr.Controllen, m.msghdr.Flags = uint32(n), uintptr(control), int32(flags)
	if s := &b.slots[i]; from != nil && s.named {
		s.addr = *from
	}
}
