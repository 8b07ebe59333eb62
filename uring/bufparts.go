package uring

import "fmt"

// Covers returns how many buffers a CQE has taken from the ring: none without CQEBuffer, one, or more for a bundle
// (Linux 6.10). It is for rings with buffers of their own that are not incremental: there Parts tells.
//
// Only the ring's owner may call it.
func (b *BufRing) Covers(c CQE) int {
	if c.Flags&CQEBuffer == 0 || b.size == 0 {
		return 0
	}
	return max(1, (int(c.Res)+b.size-1)/b.size)
}

// BufParts are what a CQE has brought, buffer by buffer; see BufRing.Parts.
type BufParts struct {
	b    *BufRing
	id   uint16 // of the next part's buffer
	left int    // bytes to come
	any  bool   // a part is to come
	more bool   // the last buffer's rest is still the kernel's
}

// Parts tells where the bytes of a CQE are: in one buffer, in several after a bundle, which fills buffers in the order
// in which they were lent, in a part of one after an incremental receive. It is for rings with buffers of their own, of
// others it panics. Of a bundle, Next panics where the ring was opened without BufRingConfig.Bundles: it does not know
// in what order they were lent. Of an incremental ring Parts must be called for each CQE with CQEBuffer, in their
// order, and be read to its end; else the count goes wrong.
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
	if c.Flags&CQEBuffer == 0 {
		return BufParts{}
	}
	if b.count == 0 {
		panic(fmt.Sprintf("uring: parts of buffer %d of group %d, whose ring has no buffers of its own", c.BufID(),
			b.group))
	}
	return BufParts{b: b, id: c.BufID(), left: max(0, int(c.Res)), any: true, more: c.Flags&CQEBufMore != 0}
}

// Next returns the next part, and the id of its buffer. done: the buffer is the program's, to be returned when the part
// has been used; else the kernel will go on in it behind the part. ok is false when there is no part any more. Like all
// of BufRing.Bytes, the part is gone after the BufRing's Close.
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
