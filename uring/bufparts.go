package uring

import "fmt"

// Covers returns how many buffers a CQE has taken from the ring: none without CQEBuffer, one, or more for a bundle
// (Linux 6.10). It is for rings with buffers of their own that are not incremental; for those use Parts. For an entry
// without SetBundle, whose buffer is one, it is wrong with MSG_TRUNC: then c.Res counts bytes that are not there.
//
// Only the ring's owner may call it.
func (b *BufRing) Covers(c CQE) int {
	if c.Flags&CQEBuffer == 0 || b.size == 0 {
		return 0
	}
	return max(1, (int(c.Res)+b.size-1)/b.size)
}

// BufParts are the bytes of a CQE, buffer by buffer; see BufRing.Parts.
type BufParts struct {
	b     *BufRing
	id    uint16 // of the next part's buffer
	left  int    // bytes to come
	taken int    // bytes of buffers that the kernel has gone on by, from here
	any   bool   // a part is to come
	more  bool   // the last buffer's rest is still the kernel's
}

// Parts returns where the bytes of a CQE are: in one buffer, in several after a bundle, which fills buffers in the
// order in which they were lent, or in a part of one after an incremental receive. It is for rings with buffers of
// their own, and panics for others. If the ring was opened without BufRingConfig.Bundles, there is one part, since it
// does not know in what order the buffers were lent. For an incremental ring call Parts for each CQE with CQEBuffer, in
// order, and read all parts; otherwise the count becomes wrong. Some entries need PartsOf instead.
//
//	for p := b.Parts(c); ; {
//		id, part, done, ok := p.Next()
//		if !ok { break }
//		…
//		if done { b.Return(id) }
//	}
//
// Incremental reads of files are never done before a buffer's end, and Linux 6.12 to 6.18 may omit CQEBufMore at a
// stream's end: then a buffer is done although it has room left, which is harmless.
//
// Only the ring's owner may call it. It does not allocate.
func (b *BufRing) Parts(c CQE) BufParts {
	if b.after == nil {
		return b.PartsOf(c, 0)
	}
	return b.parts(c)
}

// PartsOf is Parts for a CQE whose entry Parts would take for another one, since the CQE is the same:
//
//   - An entry without SetBundle on a ring with BufRingConfig.Bundles, if it has MSG_TRUNC: c.Res may be more than the
//     buffer holds, as of several. n is 0.
//   - On an incremental ring, an entry whose n the kernel counts, and not c.Res: a read of a file, or whatever else
//     can't be polled, and any entry with SQEAsync or SQEDrain. n is that of the entry; if that is 0, so is this. As
//     its part of a buffer is taken before its CQE comes, no other entry may use the group meanwhile; and none may be
//     submitted behind one with SQEDrain that has not ended, since it is counted in either way.
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

// from is where the kernel goes on in a buffer.
func (b *BufRing) from(id uint16) int {
	if b.used == nil {
		return 0
	}
	return int(b.used[id])
}

// Next returns the next part, and the id of its buffer. If done is true the program owns the buffer, and has to return
// it once it has used the part; otherwise the kernel continues in it after the part. ok is false when there are no more
// parts. Like all of BufRing.Bytes, the part is invalid after the BufRing's Close.
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
