package event

import (
	"os"
	"time"

	"ringo/buf"
	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// output is what a connection has written and the socket has had no room for, in order. It is made when something has
// to wait, and dropped when all is sent.
//
//	Write ──accepted──▶ the loop's outbox ──the turn's end──▶ sent
//	  │ too large, or slow           │ no room
//	  ▼                              ▼
//	a plain call ───── the rest ──▶ pieces ──an op, when there is room──▶ sent
type output struct {
	c      *Conn
	op     *op.Op
	pieces []piece
	first  int         // the pieces before it are sent
	size   int         // bytes in them
	err    error       // for OnClose
	drop   error       // nothing more is to be sent, and the waiting functions get this error
	timer  timer.Timer // set once the connection closes

	task   *loop.Task    // the task that dials, or reads a file
	parts  *handle.Parts // of a connection in Detach
	waiter *loop.Task
	parted bool
}

// piece is a part of what waits.
type piece struct {
	p    []byte
	own  bool        // p is a copy, to which more may be appended
	file *fileSource // instead of p
	then func(error) // called at the end
}

// acceptMax is the largest write that is copied, to be sent together with others. Larger writes are sent at once: the
// copy would cost more than the call.
const acceptMax = 4096

// closeMax is how long the peer may take none of what was written before a Close.
const closeMax = time.Minute

// Write sends p; the caller may reuse p once it returns. It never waits, and makes no callbacks: up to 4096 bytes are
// copied, and sent at the end of the loop's turn, together with other writes to the connection; bytes that the socket
// has no room for are copied, and sent when it has. Stop writing when Congested returns true, and continue when
// OnWritable is called. The error is ErrFull at the bound: then nothing of p was taken, and OnWritable will be called.
// It is net.ErrClosed when the connection closes, or that of a send, which ends the connection. On unixpacket p is one
// record, even if empty; on a stream an empty p does nothing.
func (c *Conn) Write(p []byte) error {
	e := c.here("Conn.Write")
	if c.state != open || c.flags&finished != 0 {
		return c.noWrite("write")
	}
	e.l.Charge()
	if c.out == nil && c.flags&slow == 0 && len(p) <= acceptMax && len(p) > 0 && !e.l.Config().NoBatching &&
		e.l.Outbox().Accept(&c.accepted, (*sender)(c), c.fd.Sys(), p) {
		return nil
	}
	_, err := c.write(p, nil)
	return err
}

// WriteThen is like Write, but does not copy p: it borrows p until then is called, once the kernel has taken all of it,
// or with the error that prevents this. If WriteThen itself returns an error, then is not called.
func (c *Conn) WriteThen(p []byte, then func(error)) error {
	e := c.here("Conn.WriteThen")
	if c.state != open || c.flags&finished != 0 {
		return c.noWrite("write")
	}
	e.l.Charge()
	_, err := c.write(p, then)
	return err
}

// WriteLease writes a lease's bytes as Write does, and releases it in any case. Bytes in one of the loop's buffers, as
// from Conn.Keep, are sent without a copy.
func (c *Conn) WriteLease(lease buf.Lease) error {
	e := c.here("Conn.WriteLease")
	large := bufs.Lease(lease).From(e.l.Buffers().Large) // not accepted, but sent at once, so that it stays warm
	if !e.l.Buffers().Lent(bufs.Lease(lease)) {
		defer lease.Release()
		return c.Write(lease.Bytes())
	}
	if c.state != open || c.flags&finished != 0 {
		lease.Release()
		return c.noWrite("write")
	}
	e.l.Charge()
	b := bufs.Lease(lease).Take()
	if c.out == nil && c.flags&slow == 0 && !e.l.Config().NoBatching {
		if p := b.Unread(); len(p) <= acceptMax && len(p) > 0 &&
			e.l.Outbox().Accept(&c.accepted, (*sender)(c), c.fd.Sys(), p) {
			b.Pool().Put(b)
			return nil
		} else if len(p) > 0 && !large && e.l.Outbox().AcceptsBuffer(c.accepted, len(p)) {
			e.l.Outbox().AcceptBuffer(&c.accepted, (*sender)(c), c.fd.Sys(), b)
			return nil
		}
	}
	_, err := c.write(b.Unread(), nil)
	b.Pool().Put(b)
	return err
}

// WriteV is like Write for several slices in order. If it fails it has taken none. bufs is not changed.
func (c *Conn) WriteV(bufs [][]byte) error {
	e := c.here("Conn.WriteV")
	size := 0
	for _, b := range bufs {
		size += len(b)
	}
	if size <= gatherMax || c.set.records {
		all := e.tools.Get(size)
		for _, b := range bufs {
			all = append(all, b...)
		}
		defer e.tools.Put(all)
		return c.Write(all)
	}
	for i, b := range bufs {
		if err := c.Write(b); err == ErrFull && i > 0 {
			c.out.put(b, nil) // a WriteV that has begun is taken whole
		} else if err != nil {
			return err
		}
	}
	return nil
}

// gatherMax is how many bytes of several slices are copied together, to be sent by one call.
const gatherMax = 64 << 10

// noWrite returns the error of an operation that can't write.
func (c *Conn) noWrite(name string) error {
	if c.state == open {
		return c.opError(name, errDirection)
	}
	return c.notOpen(name)
}

// write sends as much of p as there is room for now, and keeps the rest: a copy of it, or p itself if then is not nil.
func (c *Conn) write(p []byte, then func(error)) (n int, err error) {
	if c.out != nil {
		return 0, c.keep(p, then)
	}
	done := len(p) == 0 && !c.set.records
	if before := c.e.l.Outbox().Accepted(c.accepted); len(before) > 0 {
		n, err = c.sendBoth(before, p[:min(len(p), pieceMax)], 0)
		done = n == len(p)
	} else if !done {
		n, done, err = c.send(p)
	}
	switch {
	case err != nil:
		return 0, err
	case c.out != nil: // accepted bytes wait for room
		return 0, c.keep(p, then)
	case !done:
		c.out = &output{c: c}
		c.out.put(p[n:], then)
		c.out.submit()
	case then != nil:
		c.call(then, nil)
	}
	return n, nil
}

// sendBoth sends what was accepted and then p by one call, and returns how many bytes of p were sent. Unless all of
// what was accepted is sent, that is none, and the rest waits for room.
func (c *Conn) sendBoth(before, p []byte, flags uint32) (n int, err error) {
	o := &c.e.both
	o.Ext.SetVector([][]byte{before, p})
	o.FD, o.CallFlags = &c.fd, flags
	res, ok := c.e.l.Ops().Try(o)
	clear(o.Ext.Bufs[:])
	if !ok {
		res = 0
	}
	if n = int(c.e.l.Outbox().SentWith(&c.accepted, res)); n < len(p) {
		c.flags |= slow
	}
	if res < 0 { // sender.Unsent has ended the connection
		err = c.opError("write", callError("write", res))
	}
	return n, err
}

// send makes a plain call. all reports whether nothing of p is left, which n does not show for an empty record.
func (c *Conn) send(p []byte) (n int, all bool, err error) {
	if c.set.records && len(p) > pieceMax {
		return 0, false, c.opError("write", callError("write", -sys.EMSGSIZE))
	}
	o := &c.e.send
	o.FD, o.Buf = &c.fd, p[:min(len(p), pieceMax)]
	asked := int32(len(o.Buf))
	res, ok := c.e.l.Ops().Try(o)
	o.Buf = nil
	if !ok {
		res = 0
	}
	if res < 0 {
		if !c.set.records || res != -sys.EMSGSIZE {
			c.unsendable(res)
		}
		return 0, false, c.opError("write", callError("write", res))
	}
	c.flags &^= slow
	if res < asked || c.set.records {
		c.flags |= slow
	}
	return int(res), ok && int(res) == len(p), nil
}

// unsendable ends the connection because a send has failed.
func (c *Conn) unsendable(res int32) {
	if c.flags&leaving != 0 {
		c.out.parts.Err = res
		return
	}
	c.flags |= lost
	if c.state < closing || c.state == closing && c.reason == byCall {
		c.flags |= sendFailed
		c.reason = reason(-res)
	}
	c.fail(reason(-res))
}

// keep adds p to what waits for room, unless a bound is reached.
func (c *Conn) keep(p []byte, then func(error)) error {
	if c.set.records && len(p) > c.recordMax() {
		return c.opError("write", callError("write", -sys.EMSGSIZE))
	}
	if c.out.size >= c.set.max || c.out.isFull() {
		c.flags |= congested // so that OnWritable will tell, whichever of the bounds it is
		return ErrFull
	}
	c.out.put(p, then)
	return nil
}

// put adds bytes at the end. No bytes are no piece, except of records, or if then has to be called.
func (o *output) put(p []byte, then func(error)) {
	if len(p) == 0 && then == nil && !o.c.set.records {
		return
	}
	o.count(len(p))
	if o.size >= o.c.set.high {
		o.c.flags |= congested
	}
	if n := len(o.pieces); then == nil && n > o.first && o.pieces[n-1].own && !o.c.set.records {
		last := &o.pieces[n-1]
		last.p = append(last.p, p...)
		return
	}
	if then == nil {
		p = append([]byte(nil), p...)
	}
	o.add(piece{p: p, own: then == nil, then: then})
}

const (
	// waitingMax is how many pieces may wait on a connection, whatever their size.
	waitingMax = 1024
	// waitingCost is how many bytes a piece counts in Loop.SetUnsentMax in addition to its own.
	waitingCost = 64
)

// add adds a piece at the end.
func (o *output) add(p piece) {
	o.pieces = append(o.pieces, p)
	o.c.e.unsent += waitingCost
	if o.waiting() >= waitingMax {
		o.c.flags |= congested
	}
}

// waiting returns how many pieces wait.
func (o *output) waiting() int { return len(o.pieces) - o.first }

// isFull reports whether no further piece is taken, however small.
func (o *output) isFull() bool {
	return o.waiting() >= waitingMax || o.c.e.unsent >= o.c.e.unsentMax
}

// count adds n to the number of bytes that wait.
func (o *output) count(n int) {
	o.size += n
	o.c.e.unsent += n
}

// over reports whether nothing is left to do.
func (o *output) over() bool {
	return o.op == nil && o.task == nil && (o.first == len(o.pieces) || o.c.flags&leaving != 0)
}

// submit makes the driver send the first piece once there is room.
func (o *output) submit() {
	l := o.c.e.l
	if l.Stopping() || l.Ending() {
		o.c.fail(byLoop)
		return
	}
	if file := o.pieces[o.first].file; file != nil {
		o.submitFile(file)
		return
	}
	x := l.Ops().New(op.Send)
	if x == nil {
		o.c.unsendable(-sys.ENOBUFS)
		return
	}
	p := o.pieces[o.first].p
	x.Flags, x.Buf, x.FD, x.Sink = o.c.sendsBy(), p[:min(len(p), pieceMax)], &o.c.fd, o
	o.op = x
	l.Handles().Hold(1)
	l.Ops().Submit(x)
	o.c.begins(writes)
}

// Complete takes the result of a send.
func (o *output) Complete(x *op.Op, res int32, _ uint32) {
	c, l, behind := o.c, o.c.e.l, x.Behind
	o.op = nil
	l.Ops().Free(x)
	l.Handles().Hold(-1)
	if res >= 0 {
		o.sent(int(res))
		res = -int32(behind)
	}
	switch {
	case o.dropIfIdle():
	case res < 0 && res != -sys.ECANCELED:
		c.unsendable(res)
	default:
		o.goOn()
	}
	c.settle()
}

// sent removes n bytes, which were sent, from the first piece.
func (o *output) sent(n int) {
	if o.first == len(o.pieces) { // it was dropped
		return
	}
	o.count(-n)
	o.goesOn(n)
	first := &o.pieces[o.first]
	if first.p = first.p[n:]; len(first.p) == 0 {
		o.end(nil)
	}
}

// tellRoom makes OnWritable be called if it is time to write again. If nothing waits any more, no bound prevents that.
func (o *output) tellRoom() {
	c := o.c
	set := c.set
	if c.flags&congested != 0 && (o.waiting() == 0 || o.waiting() <= waitingMax/2 && o.size < set.max &&
		o.size <= min(set.high, set.max)/2 && c.e.unsent < c.e.unsentMax) {
		c.flags = c.flags&^congested | writable
	}
}

// end removes the first piece, and calls its function.
func (o *output) end(err error) {
	first := &o.pieces[o.first]
	if first.then != nil {
		o.c.call(first.then, err)
	}
	*first = piece{}
	o.c.e.unsent -= waitingCost
	if o.first++; o.first == len(o.pieces) {
		o.pieces, o.first = o.pieces[:0], 0
	} else if o.first > len(o.pieces)/2 && len(o.pieces) == cap(o.pieces) {
		n := copy(o.pieces, o.pieces[o.first:])
		clear(o.pieces[n:])
		o.pieces, o.first = o.pieces[:n], 0
	}
}

// drained is called when all is sent: it shuts down the writing side after CloseWrite.
func (c *Conn) drained() {
	if c.flags&finished != 0 {
		c.e.l.Kernel().Shutdown(c.fd.Sys(), shutWrite)
	}
}

const shutWrite = 1 // SHUT_WR

// dropOutput drops what is unsent, once the kernel no longer uses it.
func (c *Conn) dropOutput(err error) {
	o := c.out
	if o == nil {
		return
	}
	if o.drop == nil {
		o.drop = err
	}
	if o.op != nil && !o.op.Canceled {
		c.e.l.Ops().Cancel(o.op)
	}
	o.task.Cancel()
	o.dropIfIdle()
}

// dropIfIdle drops what is to be dropped, if no op or task uses it. It reports whether there is something to drop.
func (o *output) dropIfIdle() bool {
	if o.drop == nil || o.op != nil || o.task != nil {
		return o.drop != nil
	}
	o.count(-o.size)
	for o.first < len(o.pieces) {
		if !o.pieces[o.first].isSent(o.c.set.records) {
			o.c.flags |= lost
		}
		o.end(o.drop)
	}
	return true
}

// linger gives the peer of a connection that closes some time to take some of what is left. A write timeout counts on.
func (o *output) linger() {
	o.seeParts()
	if !o.timer.Armed() && !o.over() && !o.c.hasWriteTimeout() {
		o.timer.Owner = o
		o.c.e.l.Timers().Arm(&o.timer, o.c.e.l.After(closeMax))
	}
}

// seeParts makes a send in flight end if it would not tell when the peer takes a part. Its end sends the rest.
func (o *output) seeParts() {
	if o.op != nil && !o.op.Canceled && o.op.Flags&^o.c.sendsBy() != 0 {
		o.c.e.l.Ops().Cancel(o.op)
	}
}

// goesOn makes the time of linger begin anew if the peer has taken some bytes.
func (o *output) goesOn(n int) {
	if n > 0 {
		o.c.e.l.Timers().Disarm(&o.timer)
	}
}

// Fire ends that time.
func (o *output) Fire(*timer.Timer) { o.giveUp() }

// giveUp drops what the peer of a connection that closes does not take.
func (o *output) giveUp() {
	o.err = o.c.opError("write", os.ErrDeadlineExceeded)
	o.c.dropOutput(o.err)
	o.c.wake()
}

// release stops the timer of linger, and resumes a task in Detach.
func (o *output) release() {
	l := o.c.e.l
	l.Timers().Remove(&o.timer)
	if o.waiter != nil && !l.Ending() {
		l.Ready(o.waiter)
		o.waiter = nil
	}
}

// sender is a connection as the owner of bytes in the loop's outbox.
type sender Conn

// Unsent keeps accepted bytes that the socket had no room for, and sends them once there is room.
func (s *sender) Unsent(res int32, rest []byte) {
	c := (*Conn)(s)
	c.accepted = 0 // also at a turn's end
	if res < 0 && res != -sys.EAGAIN {
		c.unsendable(res)
		return
	}
	c.flags |= slow
	c.out = &output{c: c}
	c.out.put(rest, nil)
	c.out.submit()
}

// Unsent returns the number of bytes that wait for room in the socket.
func (c *Conn) Unsent() int {
	c.here("Conn.Unsent")
	if c.out == nil {
		return 0
	}
	return c.out.size
}

// Congested reports whether unsent bytes have reached the high-water mark, or a write has failed with ErrFull, and
// OnWritable has not been called since.
func (c *Conn) Congested() bool {
	c.here("Conn.Congested")
	return c.flags&congested != 0
}

// SetMarks sets the high-water mark for unsent bytes, by default 65536, and the number of unsent bytes from which on
// Write fails with ErrFull, by default 1 MiB. A write is taken whole, so one may exceed max. At most 1024 files,
// records and borrowed slices wait, whatever their size: at that number all writes fail with ErrFull, and Congested is
// true, until half of them are sent. It panics if a mark is negative.
func (c *Conn) SetMarks(high, max int) {
	c.here("Conn.SetMarks")
	wantBound("Conn.SetMarks", min(high, max))
	s := c.own()
	s.high, s.max = high, max
}

// CloseWrite shuts down the writing side once all written bytes are sent: the peer then reads the end of the stream.
// The connection can still read.
func (c *Conn) CloseWrite() error {
	e := c.here("Conn.CloseWrite")
	if c.state != open || c.flags&finished != 0 {
		return c.noWrite("close")
	}
	e.l.Outbox().SendNow(&c.accepted)
	if c.state != open {
		return c.noWrite("close")
	}
	c.flags |= finished
	if c.out == nil {
		c.drained()
	}
	return nil
}

// call queues a call of then.
func (e *Loop) call(then func(error), err error) { e.push(&notice{nil, then, err}) }

// call queues a call of then for the connection, before OnClose.
func (c *Conn) call(then func(error), err error) {
	c.flags |= telling
	c.e.push(&notice{c, then, err})
}

type notice struct {
	c    *Conn // nil: it is not for a connection
	then func(error)
	err  error
}

func (n *notice) run() { n.then(n.err) }
