package event

import (
	"fmt"
	"io"

	"ringo/internal/bufs"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// armed is how more bytes come, as in sock/input.go: by a multishot receive into the buffers of the loop's ring, or by
// plain receives when a poll has told of readiness.
type armed uint8

const (
	notArmed armed = iota
	receiving
	polling
	filling // of a ReadFull: plainly, into the program's memory
)

// interest is what a poll of a stream watches. RDHUP and PRI are there so that bytes that come together with a FIN, or
// around an urgent byte, are not missed.
const interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// What is larger than a buffer costs less by plain receives at readiness, into one large buffer that is warm, than in
// parts into buffers that are not: a completion, a call of OnData and a send for each, and crowds that find the ring
// dry. So a connection to which more has come at once than a buffer holds, or as much while the ring was dry, is
// received from in this way, until bulkMax receives in a row have brought less than that.
const bulkMax = 16

// piecesMax is how many pieces are shown before others have their turn; pieceMax is how many bytes one call moves.
const (
	piecesMax   = 8
	largePieces = 4 // as so many counts a large buffer
	pieceMax    = 1 << 20
	pieceCost   = 8       // so many ReadFulls of what is there already count as a piece
	movedMax    = 8 << 10 // of the rest, by one skip
)

// shown is what OnData is being shown.
type shown struct {
	c    *Conn
	b    *bufs.Buffer // nil: it is the connection's rest
	kept bool         // by Keep
}

// arm sees to it that news of the stream will come.
func (c *Conn) arm() {
	l := c.e.l
	if c.takesDirectly() && l.Lends() {
		c.fill()
		return
	}
	if c.recv != nil {
		return
	}
	code, how, flags := op.Poll, polling, op.Multishot|op.Rough
	if c.set.records {
		flags = op.Rough // once: until it is told that there is nothing it asks for itself
	} else if l.Lends() {
		if c.bulk == 0 && l.Ring().Available() > 0 {
			code, how, flags = op.Recv, receiving, op.Multishot|op.Select
		} else {
			flags = op.Rough // once, so that the ring is tried again, and others have their turn
		}
	}
	o := l.NewOp(code)
	if o == nil {
		c.fail(sys.ENOBUFS)
		return
	}
	o.FD, o.Flags, o.Sink = &c.fd, flags, (*receiver)(c)
	if how == receiving {
		o.Limit = c.limit()
	} else {
		o.Events = interest
	}
	c.recv, c.how = o, how
	l.Submit(o)
}

// limit is how many bytes a multishot receive may bring before it ends by itself. What the kernel has is all taken in
// before anybody looks at it, so it is the bound of what one connection may have waiting; those whose bytes are used
// as they come have a wider one, since a new receive for each 16 buffers is a part of the time of large messages.
func (c *Conn) limit() uint32 {
	cfg := c.e.l.Config()
	times := 4
	if c.flags&proven != 0 {
		times = 16
	}
	return uint32(min(times*cfg.Leases*cfg.BufferSize, 1<<30))
}

// receiver is the connection as the sink of its armed op.
type receiver Conn

// Complete takes what the armed op brought.
func (r *receiver) Complete(o *op.Op, res int32, flags uint32) {
	c := (*Conn)(r)
	how := c.how
	if res > 0 && how != polling {
		c.goesOn(reads)
	}
	if flags&op.More == 0 {
		c.recv, c.how = nil, notArmed
		c.e.l.FreeOp(o)
	}
	switch how {
	case receiving:
		c.received(res, flags)
	case filling:
		c.filled(res)
	default:
		c.polled(res)
	}
	if c.state >= closing {
		c.settle()
		return
	}
	c.wake()
}

// received takes a completion of the multishot receive.
func (c *Conn) received(res int32, flags uint32) {
	if flags&op.HasBuffer != 0 {
		ring := c.e.l.Ring()
		b := ring.Filled(uint16(op.BufferID(flags)), int(max(res, 0)))
		if res <= 0 || c.state >= closing && c.flags&leaving == 0 {
			ring.Put(b)
		} else {
			if c.tail != nil && c.tail.End == ring.Size() && c.bulk == 0 {
				c.bulk = bulkMax
				if flags&op.More != 0 && !c.recv.Canceled {
					c.e.l.Cancel(c.recv)
				}
			}
			c.append(b)
		}
	}
	switch {
	case flags&op.More != 0:
		c.e.doubts.Heard((*doubtful)(c))
	case res > 0:
		if c.count <= 1 {
			c.flags |= proven
		}
	case res == 0:
		c.flags |= ended
		if c.flags&leaving != 0 {
			c.out.parts.EOF = true
		}
	case res == -sys.ENOBUFS, res == -sys.ECANCELED:
		c.flags |= ready // what waits, or has come meanwhile, is read into plain memory
	default:
		c.broken(res)
	}
}

// polled takes a completion of the poll.
func (c *Conn) polled(res int32) {
	switch {
	case res > 0:
		c.flags |= ready
		if res&(sys.PollRdhup|sys.PollHup|sys.PollErr|sys.PollPri) != 0 {
			c.flags |= hangup
		}
	case res < 0 && res != -sys.ECANCELED:
		c.broken(res)
	}
}

// broken notes an error of the stream, of which the handler is told behind the bytes that came before.
func (c *Conn) broken(res int32) {
	switch {
	case c.flags&leaving != 0:
		c.out.parts.Err = res
	case c.reason == 0:
		c.reason = reason(-res)
	}
	c.flags |= ended
}

func (c *Conn) append(b *bufs.Buffer) {
	if c.flags&paused != 0 && c.e.shown.c != c {
		c.spill(b)
		return
	}
	b.SetNext(nil)
	if c.tail == nil {
		c.head = b
	} else {
		c.tail.SetNext(b)
	}
	c.tail = b
	c.count++
}

// pop takes the first buffer off the list.
func (c *Conn) pop() *bufs.Buffer {
	b := c.head
	c.head = b.Next()
	if c.head == nil {
		c.tail = nil
	}
	c.count--
	return b
}

// spill moves a buffer's bytes into memory of the connection's own, so that one that is paused does not hold what
// others need. Resume has them shown.
func (c *Conn) spill(b *bufs.Buffer) {
	c.add(b.Unread())
	b.Pool().Put(b)
}

// add puts bytes behind the rest.
func (c *Conn) add(p []byte) {
	if cap(c.rest)-len(c.rest) < len(p) {
		old := c.rest
		c.rest = append(c.e.spare.Get(len(old)+len(p)), old...)
		c.e.giveBack(old)
	}
	c.rest = append(c.rest, p...)
}

// keptMin is what is worth being kept of memory whose front was used.
const keptMin = 512

// giveBack takes memory back that a connection no longer needs.
func (e *Loop) giveBack(p []byte) {
	if cap(p) >= keptMin && e.spare.Put(p) {
		e.l.HasSpare()
	}
}

// skip takes bytes off the front of the rest. Much is left where it is: to move it for each few that are used would
// cost the square of it.
func (c *Conn) skip(k int) {
	if left := c.rest[k:]; len(left) > max(k, movedMax) {
		c.rest = left
	} else {
		c.rest = c.rest[:copy(c.rest, left)]
	}
}

// read shows what has come. It is for the runner.
func (c *Conn) read() {
	for budget := piecesMax * pieceCost; budget > 0 && c.state == open && c.flags&paused == 0; {
		if c.isFull() { // by a receive into it
			budget--
			c.endIntake(nil)
			continue
		}
		b := c.nextBuffer()
		switch {
		case b == nil && c.flags&unshown == 0:
			budget = 0
			continue
		case b == nil && c.flags&taking != 0: // a copy of some of the rest
			budget--
		case b != nil && b.Pool() == c.e.l.Large():
			budget -= largePieces * pieceCost
		default:
			budget -= pieceCost
		}
		if c.flags&taking != 0 {
			c.take(b)
		} else {
			c.show(b)
		}
	}
	switch {
	case c.state != open || c.flags&paused != 0:
	case c.head != nil || c.flags&unshown != 0 || c.isFull() || c.byHand():
		c.wake() // behind the others
	case c.flags&ended == 0:
		c.arm()
	case c.reason != 0:
		c.fail(c.reason)
	case c.flags&taking != 0:
		c.endIntake(io.ErrUnexpectedEOF)
		c.wake()
	case c.flags&endTold == 0:
		c.flags |= endTold
		c.h.OnEnd(c)
	}
}

// byHand reports whether a plain receive is in order now: there may be something, and no receive is armed that would
// take it.
func (c *Conn) byHand() bool {
	return c.flags&(ready|ended) == ready && c.how != receiving && c.how != filling
}

// nextBuffer is the next buffer to be shown; nil if there is none, or if the rest is to be shown or taken before.
func (c *Conn) nextBuffer() *bufs.Buffer {
	switch {
	case c.flags&unshown != 0 && (c.flags&taking != 0 || len(c.rest) > c.set.unread):
		return nil // so that what waits does not grow
	case c.head != nil:
		return c.pop()
	case c.byHand() && c.takesDirectly() && c.flags&unshown == 0:
		in := c.e.intakes[c]
		in.n += c.try(in.p[in.n:min(len(in.p), in.n+pieceMax)])
		c.endIntake(nil)
		return nil
	case c.set.records && c.flags&unshown != 0:
		return nil // one at a time
	case c.set.records && c.byHand():
		return c.receiveRecord()
	case c.byHand():
		return c.receive()
	}
	return nil
}

// receive receives into a plain buffer, or a large one; nil if there is nothing now.
func (c *Conn) receive() *bufs.Buffer {
	l := c.e.l
	pool, most := l.Plain(), l.Plain().Size()
	// Of the leases of a connection one may be of a large buffer.
	if c.bulk > 0 && c.held.Load() == 0 {
		pool, most = l.Large(), l.Large().Size()
		if k := len(c.rest); k > 0 {
			most = min(most, max(c.set.unread-k, l.Plain().Size()))
		}
	}
	b := pool.Take()
	if b == nil {
		return nil
	}
	n := c.try(b.Mem()[:most])
	if n == 0 {
		pool.Put(b)
		return nil
	}
	b.Off, b.End = 0, n
	if n >= l.Config().BufferSize {
		c.bulk = bulkMax
	} else if c.bulk > 0 {
		c.bulk--
	}
	return b
}

// try receives what there is into p; 0 if there is nothing now, or will be nothing more.
func (c *Conn) try(p []byte) int {
	e := c.e
	e.l.Charge()
	res, ok := c.receiveNow(p, 0)
	switch {
	case !ok:
		c.flags &^= ready
	case res > 0:
		c.goesOn(reads)
		// A short count from a stream: it is empty now. Where readiness is a level, what comes behind it, be it the
		// end, is told all the same. Where buffers are lent, what is armed next finds what is left.
		if int(res) < len(p) && (c.flags&hangup == 0 || !e.l.Edges()) || e.l.Lends() {
			c.flags &^= ready
		}
		return int(res)
	case res == 0:
		c.flags |= ended
	default:
		c.broken(res)
	}
	return 0
}

// show has OnData look at the bytes of a buffer, behind those that it has not used.
func (c *Conn) show(b *bufs.Buffer) {
	e := c.e
	e.l.Charge()
	var p []byte
	if b != nil && len(c.rest) == 0 {
		p = b.Unread()
	} else {
		if b != nil {
			c.add(b.Unread())
			b.Pool().Put(b)
			b = nil
		}
		p = c.rest
	}
	c.flags &^= unshown
	e.shown = shown{c: c, b: b}
	used := c.h.OnData(c, p)
	if used < 0 || used > len(p) {
		panic(fmt.Sprintf("event: OnData has used %d of %d bytes", used, len(p)))
	}
	kept := e.shown.kept
	e.shown = shown{}
	c.used(b, p, used, kept)
}

// used takes back what OnData was shown.
func (c *Conn) used(b *bufs.Buffer, p []byte, used int, kept bool) {
	left := p[used:]
	over := c.state >= closing
	switch {
	case b == nil && kept: // p is somebody else's
		if len(left) > 0 && !over {
			c.add(left)
		}
	case b == nil:
		c.skip(used)
	case len(left) > 0 && !over:
		c.add(left)
	}
	if b != nil && !kept {
		b.Pool().Put(b)
	}
	if len(c.rest) == 0 || over {
		c.e.giveBack(c.rest)
		c.rest = nil
	}
	switch {
	case over:
	case c.flags&taking != 0 && len(c.rest) > 0:
		c.flags |= unshown
	case len(c.rest) > c.set.unread && (c.flags&paused == 0 || c.set.records):
		c.fail(byUnread)
	case c.flags&paused != 0: // it may leave all
		c.spillAll()
	}
}

// dropShown takes back what was shown by an OnData that did not return.
func (e *Loop) dropShown() {
	s := e.shown
	e.shown = shown{}
	if s.b != nil && !s.kept {
		s.b.Pool().Put(s.b)
	}
}

// dropInput gives up what was received. What OnData is being shown is still there when it returns.
func (c *Conn) dropInput() {
	for c.head != nil {
		b := c.pop()
		b.Pool().Put(b)
	}
	if c.e.shown.c != c {
		c.e.giveBack(c.rest)
		c.rest = nil
	}
}

// Pause has nothing more be shown until Resume: what the peer sends then stays with the kernel, and the peer has to
// wait. What has been received by then stays with the connection. So OnData may take one message, pause, and leave the
// rest, however much it is: that is not held against it (see SetUnreadMax), and Resume has it shown again.
func (c *Conn) Pause() {
	c.here("Conn.Pause")
	if c.state != open || c.flags&paused != 0 {
		return
	}
	c.flags |= paused
	if c.recv != nil && !c.recv.Canceled {
		c.e.l.Cancel(c.recv)
	}
	c.spillAll()
}

// spillAll is spill of all buffers, but while rest is being looked at: then they wait for that.
func (c *Conn) spillAll() {
	for c.head != nil && c.e.shown.c != c {
		c.spill(c.pop())
	}
}

// Resume ends a Pause. What OnData has not used is shown again, also when nothing more has come.
func (c *Conn) Resume() {
	c.here("Conn.Resume")
	if c.flags&paused != 0 {
		c.flags &^= paused
		if len(c.rest) > 0 && c.e.shown.c != c {
			c.flags |= unshown
		}
		c.begins(reads)
		c.wake()
	}
}

// SetUnreadMax says how many bytes OnData may leave unused, 65536 if nothing is said. More end the connection; but an
// OnData that pauses it may leave all that it was shown. Of a record, as on a connection of unixpacket, it may leave
// none. Less than 0 panics.
func (c *Conn) SetUnreadMax(n int) {
	c.here("Conn.SetUnreadMax")
	wantBound("Conn.SetUnreadMax", n)
	if !c.set.records {
		c.own().unread = n
	}
}

// own makes the connection's settings its own.
func (c *Conn) own() *settings {
	if c.set == &defaults || c.set == &recordDefaults {
		s := *c.set
		c.set = &s
	}
	return c.set
}

// doubtful is the connection as one whose receive may have been forgotten.
type doubtful Conn

// Doubt is its number.
func (d *doubtful) Doubt() *handle.DoubtNumber { return &d.doubt }

// Doubted asks behind a multishot receive that was quiet for a while, as in sock/input.go: one that is begun anew finds
// what there is.
func (d *doubtful) Doubted() {
	c := (*Conn)(d)
	if c.how != receiving || c.recv.Canceled {
		return
	}
	o := &c.e.ask
	o.FD = &c.fd
	if res, ok := c.e.l.Try(o); ok && res > 0 {
		c.e.l.Cancel(c.recv)
	}
}
