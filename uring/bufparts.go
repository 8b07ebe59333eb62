package uring

import "fmt"

// Covers returns how many buffers a CQE has taken from the ring: none without CQEBuffer, one, or more for a bundle
// (Linux 6.10). It is for rings with buffers of their own that are not incremental; for those use Parts.
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
	b    *BufRing
	id   uint16 // of the next part's buffer
	left int    // bytes to come
	any  bool   // a part is to come
	more bool   // the last buffer's rest is still the kernel's
}

// Parts returns where the bytes of a CQE are: in one buffer, in several after a bundle, which fills buffers in the
// order in which they were lent, or in a part of one after an incremental receive. It is for rings with buffers of
// their own, and panics for others. For a bundle, Next panics if the ring was opened without BufRingConfig.Bundles: it
// does not know in what order the buffers were lent. For an incremental ring call Parts for each CQE with CQEBuffer, in
// order, and read all parts; otherwise the count becomes wrong.
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
	if c.Flags&CQEBuffer == 0 {
		return BufParts{}
	}
	if b.count == 0 {
		panic(fmt.Sprintf("uring: parts of buffer %d of group %d, whose ring has no buffers of its own", c.BufID(),
			b.group))
	}
	return BufParts{b: b, id: c.BufID(), left: max(0, int(c.Res)), any: true, more: c.Flags&CQEBufMore != 0}
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
	from := 0
	if b.used != nil {
		from = int(b.used[id])
	}
	n := min(p.left, len(buf)-from)
	p.left -= n
	if p.any = p.left > 0; p.any && b.after == nil {
		panic(fmt.Sprintf("uring: a bundle, %d bytes in more than one buffer of group %d, whose ring has no "+
			"BufRingConfig.Bundles", n+p.left, b.group))
	}
	done = p.any || !p.more
	if b.used != nil {
		b.used[id] = uint32(from + n)
		if done {
			b.used[id] = 0
		}
	}
	if p.any {
		p.id = b.after[id]
	}
	return id, buf[from : from+n : from+n], done, true
}
