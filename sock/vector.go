package sock

import (
	"slices"
	"sync"

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
func (c *Conn) ReadV(bufs [][]byte) (int, error) {
	if c.records() {
		return c.readVRecord(bufs)
	}
	a, err := c.enterRead()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	n, err := c.readV(a, bufs)
	c.core.Given(n)
	return n, c.failed("read", err)
}

// readV is ReadV for a caller that has access.
func (c *Conn) readV(a handle.Access, bufs [][]byte) (int, error) {
	v := vector{rest: bufs}
	if err := c.turn(a); err != nil || v.done() {
		return 0, err
	}
	for {
		if here, err := c.ready(a, 0, false); err != nil {
			return 0, err
		} else if here {
			in, t := c.input(a)
			return copyToV(in, t, &v), nil
		}
		o := c.opExtFor(a, op.Recvmsg)
		n, ok, err := c.receiveBy(a, o, v.load(o.Ext, nil))
		if unload(o.Ext); ok || err != nil {
			return n, err
		}
	}
}

// copyToV moves unread bytes into the slices.
func copyToV(in *stream.In, t *stream.Tools, v *vector) (total int) {
	for in.Any() && !v.done() {
		n := in.CopyTo(t, v.first())
		v.skip(n)
		total += n
	}
	return total
}

// WriteV writes all bytes of the slices in order, or fails with the count of bytes sent. It is what net.Buffers is for
// connections of package net; WriteTo of a net.Buffers calls Write for each slice here. bufs and the slices are not
// changed; the kernel may use them until WriteV returns. One system call sends eight slices; if there are more, small
// ones are copied together first, 16 KiB per call. On a connection of network "unixpacket" they are one record.
// Deadlines, errors and the order of writers are those of Write.
//
// Any goroutine may call it, and waits as in package net; a task parks.
func (c *Conn) WriteV(bufs [][]byte) (int, error) {
	if c.records() {
		return c.Write(slices.Concat(bufs...)) // a record has to be one piece
	}
	a, err := c.enterOutput()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	n, err := c.writeV(a, bufs)
	return n, c.failed("write", err)
}

// writeV is WriteV for a caller that has access.
func (c *Conn) writeV(a handle.Access, bufs [][]byte) (total int, err error) {
	v := vector{rest: bufs}
	if a.Own() {
		if n := v.bytes(acceptMax); n <= int(c.accepts.Load()) && c.core.Accepts() &&
			c.accept(v.gather(c.local.gathered())) {
			return n, nil
		}
		if err := c.caughtUp(); err != nil {
			return 0, err
		}
	}
	for !v.done() {
		n, err := c.writeVNow(a, &v)
		if err == nil && n == 0 {
			n, err = c.writeRest(v.first(), 0) // of a task, which parks
		} else if err == nil && a.Own() && n < v.bytes(n) {
			err = c.mayGoOn()
		}
		v.skip(n)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// gathers is memory for foreign callers to gather slices in, each piece in use for one call.
var gathers = sync.Pool{New: func() any { return new([gatherMax]byte) }}

// writeVNow sends the first slices by one call, in which a foreign caller waits. If a task of the loop would have to
// wait, it sends none.
func (c *Conn) writeVNow(a handle.Access, v *vector) (n int, err error) {
	switch {
	case !a.Own() && v.many():
		memory := gathers.Get().(*[gatherMax]byte)
		defer gathers.Put(memory)
		return c.moved(a.Move(v.gather(memory[:])))
	case !a.Own():
		o := c.opExtFor(a, op.Sendmsg)
		v.load(o.Ext, nil)
		return c.moved(a.Do())
	case v.many():
		return c.writeNow(v.gather(c.local.gathered()))
	}
	if err := c.core.State(handle.Out); err != nil {
		return 0, err
	}
	return c.sendV(v)
}

// sendV sends what was accepted, and after it the first slices, by one call that does not wait. It is apart so that
// parked tasks have smaller stacks: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) sendV(v *vector) (n int, err error) {
	o, before := &c.local.vector, c.core.Accepted()
	asked := v.load(o.Ext, before)
	o.FD, o.CallFlags = c.core.FD(), c.local.send.CallFlags
	res, ok := c.l.Ops().Try(o)
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
	if !c.l.IsCurrent() || c.records() || !c.l.Buffers().Lent(bufs.Lease(b)) {
		defer b.Release() // even if the caller's task ends in Write
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
	case c.accept(p): // a copy costs less than a buffer that others can't use
		b.Release()
		return len(p), nil
	case bufs.Lease(b).From(c.l.Buffers().Large): // sent at once, so that it stays warm
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

// writeLeft copies the rest of a lease, and writes the copy. It is apart so that a connection whose peer is never slow
// has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeLeft(b buf.Lease, n int) (int, error) {
	rest := append([]byte(nil), b.Bytes()[n:]...)
	b.Release()
	m, err := c.writeRest(rest, 0)
	return n + m, err
}

// vector is the rest of a list of slices that is being read into or written.
type vector struct {
	rest [][]byte
	off  int // of the first slice
}

// done reports whether no bytes are left, and skips empty slices.
func (v *vector) done() bool {
	for len(v.rest) > 0 && v.off == len(v.rest[0]) {
		v.rest, v.off = v.rest[1:], 0
	}
	return len(v.rest) == 0
}

// first returns the rest of the first slice; there must be bytes left.
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

// load sets the slices of a call: before, if it has bytes, and then as many of the next as fit, up to pieceMax bytes.
// It returns how many bytes they are.
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

// unload drops the references to the slices.
func unload(x *op.Ext) { clear(x.Bufs[:]) }

// many reports whether there are more slices than one call takes, and they are so small that copying them together
// costs less than another call.
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

// bytes returns how many bytes are left; if they are more than max, some number above max.
func (v *vector) bytes(max int) (n int) {
	n = -v.off
	for _, p := range v.rest {
		if n += len(p); n > max {
			break
		}
	}
	return n
}

// gatherMax is how many bytes are copied together for one call.
const gatherMax = 16384

// gathered returns memory to gather slices in, which the caller may use for one call that does not wait.
func (s *loopState) gathered() []byte {
	if s.gather == nil {
		s.gather = make([]byte, gatherMax)
	}
	return s.gather
}

// gather copies the next bytes into to, as many as it has room for.
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
