package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// Covers returns how many buffers a CQE has taken from the ring: one, if it has CQEBuffer, and more for a bundle
// (Linux 6.10), which is filled over buffers in the order in which they were added. It is for rings whose buffers are
// all given up at once; of an incremental one, Parts tells. Call it before those buffers are added again.
//
// Only the ring's owner may call it.
func (b *BufRing) Covers(c CQE) int {
	if c.Flags&CQEBuffer == 0 {
		return 0
	}
	n, at := 1, b.find(c.BufID())
	for left := int(c.Res) - b.lenAt(at); left > 0 && n < b.Entries(); n++ {
		at++
		left -= b.lenAt(at)
	}
	return n
}

// lenAt is the length of the buffer in an entry.
func (b *BufRing) lenAt(at uint16) int {
	return int((*abi.Io_uring_buf)(unsafe.Add(b.entries, uintptr(uint32(at)&b.mask)*bufSize)).Len)
}

// bidAt is the id in an entry.
func (b *BufRing) bidAt(at uint16) uint16 {
	i := uint32(at) & b.mask
	if i == 0 {
		return b.bid0
	}
	return (*abi.Io_uring_buf)(unsafe.Add(b.entries, uintptr(i)*bufSize)).Bid
}

// find returns where the entry of a buffer is. It is looked for from the oldest on that has not come back, and mostly
// found there: only receives of several sockets that share the group end in another order than they began.
func (b *BufRing) find(bid uint16) uint16 {
	for at := b.head; at != b.next; at++ {
		if b.bidAt(at) == bid && (b.gone == nil || !b.gone[uint32(at)&b.mask]) {
			return at
		}
	}
	// The caller does not count by Parts, so that head lags behind: the newest entry of this id, then.
	for i := range b.Entries() {
		if at := b.next - 1 - uint16(i); b.bidAt(at) == bid {
			return at
		}
	}
	b.panicID(bid)
	return 0
}

// BufParts are what a CQE has brought, buffer by buffer; see BufRing.Parts.
type BufParts struct {
	b    *BufRing
	at   uint16 // entry of the next part's buffer
	left int    // bytes to come
	any  bool   // a part is to come
	more bool   // the last buffer's rest is still the kernel's
}

// Parts tells where the bytes of a CQE are: in one buffer, in several after a bundle, in a part of one after an
// incremental receive. It is for rings with buffers of their own, and must be called for each CQE with CQEBuffer, in
// their order, and be read to its end; else the count goes wrong.
//
//	for p := b.Parts(c); ; {
//		id, part, done, ok := p.Next()
//		if !ok { break }
//		…
//		if done { b.Return(id) }
//	}
//
// Incremental receives of files are never done before a buffer's end, and kernels of 6.12 to 6.18 may leave CQEBufMore
// out at a stream's end: then a buffer is done although there is room left, which does no harm.
//
// Only the ring's owner may call it. It does not allocate.
func (b *BufRing) Parts(c CQE) BufParts {
	if c.Flags&CQEBuffer == 0 || b.count == 0 {
		return BufParts{}
	}
	return BufParts{b: b, at: b.find(c.BufID()), left: max(0, int(c.Res)), any: true, more: c.Flags&CQEBufMore != 0}
}

// Next returns the next part, and the id of its buffer. done: the buffer is the program's, to be returned when the part
// has been used; else the kernel will go on in it behind the part. ok is false when there is no part any more.
func (p *BufParts) Next() (id uint16, part []byte, done, ok bool) {
	if !p.any {
		return 0, nil, false, false
	}
	b := p.b
	id = b.bidAt(p.at)
	buf := b.Bytes(id)
	from := 0
	if b.incremental {
		from = int(b.used[id])
	}
	n := min(p.left, len(buf)-from)
	p.left -= n
	p.any = p.left > 0
	done = p.any || !p.more
	if b.incremental {
		b.used[id] = uint32(from + n)
		if done {
			b.used[id] = 0
		}
	}
	if done {
		b.back(p.at)
	}
	p.at++
	return id, buf[from : from+n : from+n], done, true
}

// back notes that the buffer of an entry has come back.
func (b *BufRing) back(at uint16) {
	b.gone[uint32(at)&b.mask] = true
	for b.head != b.next && b.gone[uint32(b.head)&b.mask] {
		b.gone[uint32(b.head)&b.mask] = false
		b.head++
	}
}
