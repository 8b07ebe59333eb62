package sock

import (
	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Write writes all of p, or fails with the count of bytes sent. It waits while the peer is slow; the kernel may use p
// until Write returns. Several writers take turns, each with all of its bytes. Any goroutine may call it, and waits as
// in package net; a task parks.
//
// A task's write of up to 4096 bytes is usually buffered: p is copied, and sent at the end of the loop's turn, together
// with other writes to the connection. See Flush, SetBatching, and "Small writes" in the package documentation. If that
// send fails, the connection's next Write, Flush or Close returns the error.
func (c *Conn) Write(p []byte) (n int, err error) {
	a, err := c.enterOutput()
	if err != nil {
		return 0, err
	}
	if a.Own() {
		n, err = c.writeOwn(p)
	} else {
		n, err = c.writeForeign(a, p)
	}
	c.core.Leave(a)
	if err != nil {
		err = c.fail("write", err)
	}
	return n, err
}

// TryWrite writes as much of p as possible without waiting, and returns the count: as much as the socket has room for,
// and 0 while another caller writes or buffered writes wait for room. It never parks, so one slow peer of many does not
// delay a task; Write waits for the rest. Up to 4096 bytes are buffered as by Write, all of them or none. Errors are
// those of Write: of an earlier send, of a deadline that has passed, or of a closed connection. A record ("unixpacket")
// is sent whole or not at all. Only a task of the connection's loop may call it, even if it is cancelled; other callers
// get ringo.ErrNotTask.
func (c *Conn) TryWrite(p []byte) (n int, err error) {
	if err := c.forTasks("write"); err != nil {
		return 0, err
	}
	a, ok := c.core.TryEnter(handle.Out)
	if !ok {
		return 0, nil
	}
	n, err = c.tryWriteOwn(p, false)
	c.core.Leave(a)
	return n, c.failed("write", err)
}

// forTasks returns the error if the caller may not make a call that is only for tasks of the loop.
func (c *Conn) forTasks(name string) error {
	switch {
	case c.l == nil:
		return errZero
	case !c.l.IsCurrent():
		return c.fail(name, stranger(c.l))
	}
	if err := c.core.CheckNow(); err != nil {
		return c.fail(name, err)
	}
	return nil
}

// tryWriteOwn is TryWrite for a task that has access. shared says that no caller will change p again.
func (c *Conn) tryWriteOwn(p []byte, shared bool) (n int, err error) {
	if shared && c.acceptShared(p) || c.accept(p) {
		return len(p), nil
	}
	c.core.Spends()
	if c.core.HasUnsent() {
		if ok, err := c.core.FlushNow(); !ok || err != nil {
			return 0, err
		}
	}
	switch {
	case len(p) == 0:
		return 0, c.core.State(handle.Out)
	case c.records() && len(p) > pieceMax:
		return 0, callError("write", -sys.EMSGSIZE)
	}
	return c.writeNow(p)
}

// writeOwn is Write for a task of the loop that has access.
func (c *Conn) writeOwn(p []byte) (n int, err error) {
	if !c.lendsOut(p) && c.accept(p) {
		return len(p), nil
	}
	if c.records() || c.lendsOut(p) {
		return c.writeWhole(p)
	}
	if err := c.caughtUp(); err != nil {
		return 0, err
	}
	if n, err = c.writeNow(p); err == nil && n < len(p) {
		n, err = c.writeRest(p, n)
	}
	return n, err
}

// acceptMax is the largest write that is copied, to be sent together with others. Larger writes are sent at once: the
// copy would cost more than the call.
const acceptMax = 4096

// accept reports whether p was accepted, to be sent at the turn's end.
func (c *Conn) accept(p []byte) bool {
	return len(p) != 0 && len(p) <= int(c.accepts.Load()) && c.mayWrite() && c.core.Accept(p)
}

// acceptShared is accept for a p that no caller will change again: it is sent from where it is.
func (c *Conn) acceptShared(p []byte) bool {
	return len(p) != 0 && c.accepts.Load() > 0 && c.mayWrite() && c.core.AcceptShared(p)
}

// acceptsBuffer reports whether n bytes in one of the loop's buffers may be sent at the turn's end, from where they
// are.
func (c *Conn) acceptsBuffer(n int) bool {
	return c.accepts.Load() > 0 && c.mayWrite() && c.core.AcceptsBuffer(n)
}

// mayWrite reports whether nothing keeps a writer from going on. It reports false if the connection is known to have
// failed, so that the program's call itself sends, and returns the error.
func (c *Conn) mayWrite() bool {
	return c.in.Err() == 0 && (c.core.Free(handle.Out) || c.core.State(handle.Out) == nil)
}

// acceptsAtFirst is the limit of accepted writes of a new connection.
func (c *Conn) acceptsAtFirst() int32 {
	if c.l.Config().NoBatching {
		return 0
	}
	return acceptMax
}

// SetBatching sets whether small writes of tasks are buffered and sent at the end of the loop's turn, which is the
// default without Config.NoBatching, or each is sent at once. Writes that are already buffered are not affected.
// Records ("unixpacket") are always sent at once. Any goroutine may call it.
func (c *Conn) SetBatching(on bool) error {
	if c.l == nil {
		return errZero
	}
	n := int32(0)
	if on && !c.records() {
		n = acceptMax
	}
	for old := c.accepts.Load(); old != acceptsNoMore && !c.accepts.CompareAndSwap(old, n); old = c.accepts.Load() {
	}
	return nil
}

// Flush sends buffered writes at once, and returns when all are sent: it parks while the peer is slow, as Write does,
// with the same deadline. It may return the error of an earlier send. Everything is sent at the end of the turn anyway,
// so a task needs Flush only before it computes for long, or to know that the socket has taken all bytes. Any goroutine
// may call it.
func (c *Conn) Flush() error {
	a, err := c.enterWrite()
	if err != nil {
		return err
	}
	if !a.Own() {
		err = a.Flush()
	}
	c.core.Leave(a)
	return c.failed("write", err)
}

// writeForeign is Write for a foreign caller that has access.
func (c *Conn) writeForeign(a handle.Access, p []byte) (n int, err error) {
	piece := pieceMax
	if c.records() {
		piece = max(piece, len(p))
	}
	for {
		k, err := c.moved(a.Move(p[n:min(len(p), n+piece)]))
		if n += k; err != nil || n == len(p) {
			return n, err
		}
	}
}

// moved turns the result of a foreign caller's send into the count and the error of a write.
func (c *Conn) moved(res int32, err error) (int, error) {
	if err == nil && res < 0 {
		err = callError("write", res)
	}
	return int(max(res, 0)), err
}

// writeWhole writes a record, or lends p to the kernel (SetZeroCopy), after what was accepted. It is apart so that a
// task that never does either has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeWhole(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	if c.records() {
		return c.sendMessage(handle.OfTask(handle.Out), "write", &message{p: p})
	}
	return c.writeLent(p)
}

// writeBuffer writes the bytes of a buffer that arrived on src, and gives the buffer back before it parks. Bytes that
// it does not write are unread bytes of src again.
func (c *Conn) writeBuffer(b *bufs.Buffer, src *Conn) (int, error) {
	a, err := c.enterOutput()
	if err != nil {
		src.in.putBack(src, b.Unread())
		b.Pool().Put(b)
		return 0, err
	}
	n := b.End - b.Off
	switch {
	case c.lendsOut(b.Unread()):
	case c.accept(b.Unread()):
		b.Pool().Put(b)
		c.core.Leave(a)
		return n, nil
	case b.Pool() == c.l.Buffers().Large: // sent at once, so that it stays warm
	case !src.in.Any() && c.acceptsBuffer(n): // a copy in bulk must stop when the socket is full
		c.core.AcceptBuffer(b)
		c.core.Leave(a)
		return n, nil
	}
	n = 0
	if !c.core.HasUnsent() {
		n, err = c.writeNow(b.Unread())
	}
	if err == nil && n < b.End-b.Off {
		n, err = c.writeCopy(b, n, src)
	} else {
		src.in.putBack(src, b.Unread()[n:])
		b.Pool().Put(b)
	}
	c.core.Leave(a)
	return n, c.failed("write", err)
}

// writeCopy copies what writeBuffer could not write at once, and writes the copy. It is apart so that a connection
// whose peer is never slow has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) writeCopy(b *bufs.Buffer, n int, src *Conn) (int, error) {
	p := append([]byte(nil), b.Unread()...)
	b.Pool().Put(b)
	src.in.stall(src) // src's reader is this task, which waits
	src.in.slow = true
	defer func() {
		src.in.slow = false
		src.in.putBack(src, p[n:])
	}()
	n, err := c.writeRest(p, n)
	return n, err
}

// caughtUp waits until nothing is unsent. Bytes that were accepted since are sent by the next call.
func (c *Conn) caughtUp() error {
	if !c.core.HasUnsent() {
		return nil
	}
	return c.flush()
}

// writeNow sends what the socket takes of p without waiting, up to pieceMax, and in the same call, before it, what was
// accepted. Unless all of that is sent, nothing of p is.
func (c *Conn) writeNow(p []byte) (n int, err error) {
	if !c.core.Free(handle.Out) {
		if err := c.core.State(handle.Out); err != nil {
			return 0, err
		}
	}
	if len(c.core.Accepted()) > 0 {
		return c.sendV(&vector{rest: [][]byte{p}})
	}
	o := &c.local.send
	o.FD, o.Buf = c.core.FD(), p[:min(len(p), pieceMax)]
	asked := len(o.Buf)
	res, ok := c.l.Ops().Try(o)
	o.Buf = nil
	c.core.Slow(int(res) < asked)
	switch {
	case !ok:
		return 0, nil
	case res < 0:
		return 0, callError("write", res)
	}
	return int(res), nil
}

// pieceMax is the most that one call moves. A peer as fast as the loop would keep the loop in a longer call for as long
// as there are bytes.
const pieceMax = 1 << 20

// writeRest sends p from n on by an op, in which the task parks, after what was accepted.
func (c *Conn) writeRest(p []byte, n int) (int, error) {
	if err := c.flush(); err != nil {
		return n, err
	}
	for n < len(p) {
		o, err := c.newSend(op.Send)
		if err != nil {
			return n, err
		}
		o.Flags, o.Buf = op.Full, p[n:min(len(p), n+pieceMax)]
		if res := c.awaitSend(o); res > 0 {
			n += int(res)
		}
		if n == len(p) {
			break
		}
		if err := c.core.Why(handle.Out, "write"); err != nil {
			return n, err
		}
	}
	return n, nil
}

// newSend returns an op for a task that may park until the op ends.
func (c *Conn) newSend(code op.Code) (*op.Op, error) {
	if c.l.Canceled() {
		return nil, c.l.Cause()
	}
	o := c.l.Ops().New(code)
	if o == nil {
		return nil, callError("write", -sys.ENOBUFS)
	}
	return o, nil
}

// awaitSend submits an op that sends, and parks until it has ended.
func (c *Conn) awaitSend(o *op.Op) int32 {
	c.in.stall(c)
	return c.core.Await(handle.Out, o)
}

// opFor returns the op for a call of the caller that has access.
func (c *Conn) opFor(a handle.Access, code op.Code) *op.Op {
	if a.Own() {
		return call(c.l, code)
	}
	o := a.Op()
	o.Code = code
	return o
}

// opExtFor is opFor with memory for more than a slice: addresses, vectors, control messages.
func (c *Conn) opExtFor(a handle.Access, code op.Code) *op.Op {
	if a.Own() {
		return callExt(c.l, code)
	}
	o := a.OpExt()
	o.Code = code
	return o
}

// doOut is Core.Do for an op that sends. A task of the loop waits for room, too: it parks.
func (c *Conn) doOut(a handle.Access, o *op.Op) (int32, error) {
	if a.Own() {
		if err := c.core.State(handle.Out); err != nil {
			return 0, err
		}
	}
	res, ok, err := c.core.Do(a, o)
	if ok || err != nil {
		return res, err
	}
	c.in.stall(c)
	return c.core.Later(o, "write")
}
