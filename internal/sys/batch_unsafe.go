package sys

import (
	"fmt"
	"unsafe"
)

// BatchMax is how many messages a Batch holds at most. The kernel would take 1024,
// and gains little past some tens.
const BatchMax = 64

// Batch is the memory of up to BatchMax messages that one recvmmsg(2) or sendmmsg(2)
// moves: headers, vectors and addresses, made once and used again and again. The
// slices that a message names are the caller's and lent for the time of a call, or
// of the op that makes it. It is not safe for concurrent use.
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

// Cap is how many messages there is room for.
func (b *Batch) Cap() int { return len(b.msgs) }

// Window says which messages the next call moves: from up to but not including to.
// It panics unless 0 ≤ from ≤ to ≤ Cap.
func (b *Batch) Window(from, to int) {
	if from < 0 || to < from || to > len(b.msgs) {
		panic(fmt.Sprintf("sys: messages %d to %d of a batch of %d", from, to, len(b.msgs)))
	}
	b.from, b.to = from, to
}

// Set makes p the bytes of message i, to send or to receive into.
func (b *Batch) Set(i int, p []byte) {
	s := &b.slots[i]
	s.one[0] = Iovec{Base: unsafe.SliceData(p), Len: uintptr(len(p))}
	b.msgs[i].msghdr.Iov, b.msgs[i].msghdr.Iovlen = &s.one[0], 1
}

// SetVector makes the slices the bytes of message i. What it needs for that is kept,
// so that only the longest vector allocates.
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

// SetControl makes p the control messages of message i, to send or to receive into;
// nil: there are none.
func (b *Batch) SetControl(i int, p []byte) { b.slots[i].control = p }

// SetNamed has message i received with its sender's address, or sent to the address
// that Addr holds, instead of over the connection.
func (b *Batch) SetNamed(i int, on bool) { b.slots[i].named = on }

// Addr is message i's address: to be filled before it is sent, filled once it was
// received.
func (b *Batch) Addr(i int) *Sockaddr { return &b.slots[i].addr }

// Len is how many bytes of message i were moved.
func (b *Batch) Len(i int) int { return int(b.msgs[i].len) }

// Flags are the MSG_ flags with which message i was received.
func (b *Batch) Flags(i int) uint32 { return b.msgs[i].msghdr.OutFlags() }

// Control is what message i was received with of control messages.
func (b *Batch) Control(i int) []byte {
	s := &b.slots[i]
	return s.control[:min(uintptr(len(s.control)), b.msgs[i].msghdr.Controllen)]
}

// Each calls f for each slice of the window's first n messages, and for their
// control messages: as much of each as was moved, or with whole as much as there is.
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

// Left is how many messages the window has.
func (b *Batch) Left() int { return b.to - b.from }

// Release lets go of the slices that the first n messages name, so that a batch that
// is kept keeps nothing else alive.
func (b *Batch) Release(n int) {
	for i := range n {
		b.msgs[i] = mmsghdr{}
		b.slots[i].one[0] = Iovec{}
		b.slots[i].control, b.slots[i].named = nil, false
		clear(b.slots[i].more[:cap(b.slots[i].more)])
	}
}

// arm fills in what a call overwrites.
func (b *Batch) arm(receive bool) {
	for i := b.from; i < b.to; i++ {
		s := &b.slots[i]
		b.msgs[i].len = 0
		b.msgs[i].msghdr.Arm(&s.addr, s.named, s.control, receive)
	}
}

// took notes the addresses of the first n messages of the window.
func (b *Batch) took(n int) {
	for i := b.from; i < b.from+n; i++ {
		if b.slots[i].named {
			b.slots[i].addr.SetLen(b.msgs[i].msghdr.Namelen)
		}
	}
}

// Bounds are the window's: what a kernel that is no system's moves.
func (b *Batch) Bounds() (from, to int) { return b.from, b.to }

// Message is message i as such a kernel needs it: where it is sent to, nil for nowhere in particular, its control
// messages or the room for them, and its bytes or the room for them.
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

// Took notes that such a kernel has moved n bytes of message i: from whom, if it was received, with so many bytes of
// control messages and these MSG_ flags.
func (b *Batch) Took(i, n int, from *Sockaddr, control int, flags uint32) {
	m := &b.msgs[i]
	m.len, m.msghdr.Controllen, m.msghdr.Flags = uint32(n), uintptr(control), int32(flags)
	if s := &b.slots[i]; from != nil && s.named {
		s.addr = *from
	}
}
