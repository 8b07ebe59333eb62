package sock

import (
	"ringo/buf"
	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// ReadV reads available bytes into the slices, one after the other, and parks until there is at least one: it is Read
// into separate parts, such as a header and a body. The kernel may use the slices until ReadV returns; bufs itself is
// not changed. One system call fills up to 8 non-empty slices, so a short count does not mean that nothing is left.
// Deadlines and errors are those of Read.
//
// Any goroutine may call it, and waits as in package net; a task parks.
func (c *Conn) ReadV(bufs [][]byte) (int64, error) {
	if c.records() {
		return c.readVRecord(bufs)
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	var n int64
	if a.Own() {
		n, err = c.readVOwn(bufs)
	} else {
		n, err = c.readVForeign(a, bufs)
	}
	c.core.Given(int(n))
	return n, c.failed("read", err)
}

// readVOwn is ReadV for a task of the loop that has access.
func (c *Conn) readVOwn(bufs [][]byte) (int64, error) {
	in, v := &c.in, vector{rest: bufs}
	if (in.ByHand() || in.Any()) && !c.yield() {
		return 0, c.l.Cause()
	}
	for empty := v.done(); ; {
		if err := c.mayRead(); err != nil && (!empty || c.core.Closing()) {
			return 0, err
		}
		if empty {
			return 0, nil
		}
		if in.Any() {
			return copyToV(&in.In, &c.local.Tools, &v), nil
		}
		if in.ByHand() {
			if n, ok := in.recvV(c, &v); ok {
				return int64(n), nil
			}
		}
		if err := in.end(c); err != nil {
			return 0, err
		}
		if waits, err := in.mustWait(c); err != nil {
			return 0, err
		} else if waits {
			c.core.Wait()
		}
	}
}

// copyToV moves unread bytes into the slices.
func copyToV(in *stream.In, t *stream.Tools, v *vector) (total int64) {
	for in.Any() && !v.done() {
		n := in.CopyTo(t, v.first())
		v.skip(n)
		total += int64(n)
	}
	return total
}

// recvV is recv into slices.
func (in *input) recvV(c *Conn, v *vector) (n int, ok bool) {
	o := c.local.vectored(op.Recvmsg)
	asked := v.load(o.Ext, nil)
	o.FD = c.core.FD()
	res, ok := c.l.Try(o)
	unload(o.Ext)
	return in.Took(&c.local.Tools, res, ok, asked, c.way())
}

// WriteV writes all bytes of the slices in order, or fails with the count of bytes sent. It is what net.Buffers is for
// connections of package net; WriteTo of a net.Buffers calls Write for each slice here. bufs and the slices are not
// changed; the kernel may use them until WriteV returns. One system call sends eight slices; if there are more, small
// ones are copied together first, 16 KiB per call. On a connection of network "unixpacket" they are one record.
// Deadlines, errors and the order of writers are those of Write.
//
// Any goroutine may call it, and waits as in package net; a task parks.
func (c *Conn) WriteV(bufs [][]byte) (int64, error) {
	if c.records() {
		return c.writeVRecord(bufs)
	}
	a, err := c.enterOutput()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	var n int64
	if a.Own() {
		n, err = c.writeVOwn(bufs)
	} else {
		n, err = c.writeVForeign(a, bufs)
	}
	return n, c.failed("write", err)
}

// writeVOwn is WriteV for a task of the loop that has access.
func (c *Conn) writeVOwn(bufs [][]byte) (total int64, err error) {
	v := vector{rest: bufs}
	if n := v.bytes(acceptMax); n <= int(c.accepts.Load()) && c.core.Accepts() &&
		c.accept(v.gather(c.local.gathered())) {
		return int64(n), nil
	}
	if err := c.caughtUp(); err != nil {
		return 0, err
	}
	for {
		n, err := c.writeVNow(&v)
		v.skip(n)
		total += int64(n)
		if err != nil || v.done() {
			return total, err
		}
		if n > 0 {
			if err := c.mayGoOn(); err != nil {
				return total, err
			}
			continue
		}
		p := v.first()
		n, err = c.writeRest(p, 0)
		v.skip(n)
		total += int64(n)
		if err != nil || v.done() {
			return total, err
		}
	}
}

// writeVNow is writeNow of the first slices.
func (c *Conn) writeVNow(v *vector) (n int, err error) {
	if v.many() {
		return c.writeNow(v.gather(c.local.gathered()))
	}
	if err := c.core.State(handle.Out); err != nil {
		return 0, err
	}
	return c.sendV(v)
}

// sendV sends what was accepted and the first slices, by one call that does not wait. It is apart so that what parks
// has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) sendV(v *vector) (n int, err error) {
	o, before := c.local.vectored(op.Sendmsg), c.core.Accepted()
	asked := v.load(o.Ext, before)
	o.FD, o.CallFlags = c.core.FD(), c.local.send.CallFlags
	res, ok := c.l.Try(o)
	unload(o.Ext)
	o.CallFlags = 0
	c.core.Slow(int(res) < asked)
	switch {
	case len(before) > 0:
		return c.core.SentWith(res)
	case !ok:
		return 0, nil
	case res < 0:
		return 0, callError("write", res)
	}
	return int(res), nil
}

// WriteLease writes a lease's bytes and then releases it, even if the write fails: it is Write and Release in one, for
// a lease of this connection or of any other. The caller must not use the lease any more. If the peer is slow, the rest
// of a lease of the loop's buffers is copied first, so that the buffer can be used for other connections. Deadlines,
// errors and the order of writers are those of Write.
//
// Any goroutine may call it, and waits as in package net; a task parks.
func (c *Conn) WriteLease(b buf.Lease) (int, error) {
	p := b.Bytes()
	if !c.l.IsCurrent() || c.records() || !c.isLoops(bufs.Lease(b)) {
		defer b.Release() // also if the caller's task ends in it
		return c.Write(p)
	}
	a, err := c.enterOutput()
	if err != nil {
		b.Release()
		return 0, err
	}
	defer c.core.Leave(a)
	switch {
	case c.lendsOut(p):
	case c.accept(p): // a copy costs less than a buffer that is not there for others
		b.Release()
		return len(p), nil
	case bufs.Lease(b).From(c.l.Large()): // is sent at once: it is warm, and is to stay so
	case c.acceptsBuffer(len(p)):
		c.core.AcceptBuffer(bufs.Lease(b).Take())
		return len(p), nil
	}
	if err := c.caughtUp(); err != nil {
		b.Release()
		return 0, c.failed("write", err)
	}
	var n int
	if c.lendsOut(p) {
		defer b.Release()
		n, err = c.writeWhole(p)
	} else if n, err = c.writeNow(p); err != nil || n == len(p) {
		b.Release()
	} else {
		n, err = c.writeLeft(b, n)
	}
	return n, c.failed("write", err)
}

// isLoops reports whether a lease is of one of the loop's buffers.
func (c *Conn) isLoops(b bufs.Lease) bool {
	return b.From(c.l.Ring()) || b.From(c.l.Plain()) || b.From(c.l.Large())
}

// writeLeft writes the rest of a lease from a copy. It is apart so that a connection that is
// never slow has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeLeft(b buf.Lease, n int) (int, error) {
	rest := append([]byte(nil), b.Bytes()[n:]...)
	b.Release()
	m, err := c.writeRest(rest, 0)
	return n + m, err
}

// vector is what is left of a list of slices.
type vector struct {
	rest [][]byte
	off  int // of the first one
}

// done reports whether no bytes are left, and gets empty slices out of the way.
func (v *vector) done() bool {
	for len(v.rest) > 0 && v.off == len(v.rest[0]) {
		v.rest, v.off = v.rest[1:], 0
	}
	return len(v.rest) == 0
}

// first is the rest of the first slice that has one; there must be bytes left.
func (v *vector) first() []byte { return v.rest[0][v.off:] }

// skip drops n bytes, which must be there.
func (v *vector) skip(n int) {
	for n > 0 {
		k := min(n, len(v.rest[0])-v.off)
		v.off += k
		n -= k
		if v.off == len(v.rest[0]) {
			v.rest, v.off = v.rest[1:], 0
		}
	}
}

// load makes the next slices those of a call, behind before if that has bytes, and says how many bytes they are: as
// many as fit, up to pieceMax.
func (v *vector) load(x *op.Ext, before []byte) (bytes int) {
	var parts [op.IovMax][]byte
	n, off := 0, v.off
	if len(before) > 0 {
		parts[0], n, bytes = before, 1, len(before)
	}
	for _, p := range v.rest {
		p = p[off:]
		off = 0
		if len(p) == 0 {
			continue
		}
		parts[n] = p[:min(len(p), pieceMax-bytes)]
		bytes += len(parts[n])
		if n++; n == len(parts) || bytes == pieceMax {
			break
		}
	}
	x.SetVector(parts[:n])
	return bytes
}

// unload lets go of the slices.
func unload(x *op.Ext) { clear(x.Bufs[:]) }

// many reports whether the slices are more than one call takes, and so small that to put
// them together costs less than to call again.
func (v *vector) many() bool {
	if len(v.rest) <= op.IovMax {
		return false
	}
	bytes := -v.off
	for _, p := range v.rest[:op.IovMax] {
		bytes += len(p)
	}
	return bytes < gatherMax/2
}

// bytes is how many bytes are left; or more than max, if they are.
func (v *vector) bytes(max int) (n int) {
	n = -v.off
	for _, p := range v.rest {
		if n += len(p); n > max {
			break
		}
	}
	return n
}

// gatherMax is how many bytes are put together for one call.
const gatherMax = 16384

// gathered is memory to gather in, the caller's for one call that does not wait.
func (s *loopState) gathered() []byte {
	if s.gather == nil {
		s.gather = make([]byte, gatherMax)
	}
	return s.gather
}

// gather copies the next bytes into memory, as many as it has room for.
func (v *vector) gather(to []byte) []byte {
	n, off := 0, v.off
	for _, p := range v.rest {
		n += copy(to[n:], p[off:])
		if off = 0; n == len(to) {
			break
		}
	}
	return to[:n]
}
