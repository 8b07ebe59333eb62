package uring

import "fmt"

// Covers returns how many buffers a CQE has taken from the ring: none without CQEBuffer, one, or more for a bundle
// (Linux 6.10). It is for rings with buffers of their own that are not incremental; for those use Parts. With MSG_TRUNC
// it is wrong for an entry without SetBundle, which takes one buffer: there c.Res also counts bytes that the kernel has
// not stored.
//
// Only the ring's owner may call it.
func (b *BufRing) Covers(c CQE) int {
	if c.Flags&CQEBuffer == 0 || b.size == 0 {
		return 0
	}
	return max(1, (int(c.Res)+b.size-1)/b.size)
}

// BufParts iterates over the bytes of a CQE, buffer by buffer; see BufRing.Parts.
type BufParts struct {
	b     *BufRing
	id    uint16 // the next part's buffer
	left  int    // bytes that the remaining parts have
	taken int    // bytes, from the next part on, that the kernel counts as used
	any   bool   // there is another part
	more  bool   // the kernel still owns the rest of the last buffer
}

// Parts returns where the bytes of a CQE are: in one buffer, in several after a bundle, which fills buffers in the
// order in which they were lent, or in a part of one after an incremental receive. It is for rings with buffers of
// their own, and panics for others. If the ring was opened without BufRingConfig.Bundles, there is one part, since the
// ring does not know in what order the buffers were lent. For an incremental ring call Parts for each CQE with
// CQEBuffer, in order, and read all parts; otherwise its count becomes wrong. Some entries need PartsOf instead.
//
//	for p := b.Parts(c); ; {
//		id, part, done, ok := p.Next()
//		if !ok { break }
//		…
//		if done { b.Return(id) }
//	}
//
// On an incremental ring, a read of a file is not done with a buffer before the buffer's end. At a stream's end Linux
// 6.12 to 6.18 may omit CQEBufMore: then a buffer is done although it has room left, which is harmless.
//
// Only the ring's owner may call it. It does not allocate.
func (b *BufRing) Parts(c CQE) BufParts {
	if b.after == nil {
		return b.PartsOf(c, 0)
	}
	return b.parts(c)
}

// PartsOf is Parts for the CQEs of two kinds of entries, which Parts would misread since nothing in the CQE tells them
// from others:
//
//   - An entry without SetBundle but with MSG_TRUNC, on a ring with BufRingConfig.Bundles: c.Res may be more than the
//     buffer holds, as if there were several. Pass n 0.
//   - On an incremental ring, an entry for which the kernel counts the requested length as used, and not c.Res: a read
//     of a file, or of anything else that can't be polled, and any entry with SQEAsync or SQEDrain. Pass the entry's n,
//     also if that is 0. The kernel takes such an entry's part of a buffer before its CQE comes, so no other entry may
//     use the group meanwhile. Nor may one be submitted behind an entry with SQEDrain that has not ended: the kernel
//     may count it in either way.
//
// Only the ring's owner may call it. It does not allocate.
func (b *BufRing) PartsOf(c CQE, n int) BufParts {
	p := b.parts(c)
	if !p.any {
		return p
	}
	room := len(b.Bytes(p.id)) - b.from(p.id)
	p.left = min(p.left, room)
	switch {
	case n > 0:
		p.taken = min(n, room)
	case b.used == nil || b.after == nil:
		p.taken = p.left
	}
	return p
}

func (b *BufRing) parts(c CQE) BufParts {
	if c.Flags&CQEBuffer == 0 {
		return BufParts{}
	}
	if b.count == 0 {
		panic(fmt.Sprintf("uring: parts of buffer %d of group %d, whose ring has no buffers of its own", c.BufID(),
			b.group))
	}
	n := max(0, int(c.Res))
	return BufParts{b: b, id: c.BufID(), left: n, taken: n, any: true, more: c.Flags&CQEBufMore != 0}
}

// from returns the offset at which the kernel continues in a buffer.
func (b *BufRing) from(id uint16) int {
	if b.used == nil {
		return 0
	}
	return int(b.used[id])
}

// Next returns the next part, and the id of its buffer. If done is true, the program owns the buffer, and has to return
// it once it has used the part; otherwise the kernel continues in the buffer behind the part. ok is false when there
// are no more parts. Like all of BufRing.Bytes, the part is invalid after the BufRing's Close.
func (p *BufParts) Next() (id uint16, part []byte, done, ok bool) {
	if !p.any {
		return 0, nil, false, false
	}
	b := p.b
	id = p.id
	buf := b.Bytes(id)
	from := b.from(id)
	n, taken := min(p.left, len(buf)-from), min(p.taken, len(buf)-from)
	p.left, p.taken = p.left-n, p.taken-taken
	p.any = p.taken > 0
	done = p.any || !p.more
	if b.used != nil {
		b.used[id] = uint32(from + taken)
		if done {
			b.used[id] = 0
		}
	}
	if p.any {
		p.id = b.after[id]
	}
	return id, buf[from : from+n : from+n], done, true
}
