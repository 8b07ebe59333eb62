package event

import (
	"fmt"
	"io"

	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// piecesMax is how many pieces are shown before others have their turn; pieceMax is how many bytes one call moves.
const (
	piecesMax   = 8
	largePieces = 4 // as so many counts a large buffer
	pieceMax    = stream.PieceMax
	pieceCost   = 8 // so many ReadFulls of what is there already count as a piece
)

// shown is what OnData is being shown.
type shown struct {
	c    *Conn
	b    *bufs.Buffer // nil: it is in memory of the connection's own
	kept bool         // by Keep
	// What is left of it is to be shown once more: if something was used, or in any case.
	again, anew bool
}

// way is how more bytes are to come.
func (c *Conn) way() stream.Way {
	switch {
	case c.set.records: // which are asked for until there is none
		return stream.Once
	case c.e.l.Lends():
		return stream.Lent
	}
	return stream.Level
}

// arm sees to it that news of the stream will come.
func (c *Conn) arm() {
	if c.takesDirectly() && c.e.l.Lends() {
		c.fill()
	} else if c.recv == nil {
		c.armed(c.in.Arm(&c.e.tools, &c.fd, (*receiver)(c), c.way()))
	}
}

// armed keeps the op that will bring more.
func (c *Conn) armed(o *op.Op) {
	if c.recv = o; o == nil {
		c.fail(sys.ENOBUFS)
	}
}

// receiver is the connection as the sink of its armed op.
type receiver Conn

// Complete takes what the armed op brought.
func (r *receiver) Complete(o *op.Op, res int32, flags uint32) {
	c := (*Conn)(r)
	how := c.in.How()
	if res > 0 && how != stream.Polling {
		c.goesOn(reads)
	}
	if flags&op.More == 0 {
		c.recv = nil
	}
	if how == stream.Direct && res > 0 {
		c.e.fillings[c].n += int(res)
	}
	c.in.Completed(&c.e.tools, o, res, flags, c.state < closing || c.flags&leaving != 0)
	if c.in.How() == stream.Receiving {
		c.e.rechecks.Heard((*receiver)(c))
	}
	if c.state >= closing {
		c.settle()
		return
	}
	if c.flags&paused != 0 {
		c.spill()
	}
	c.wake()
}

// Input is what has come, for the rechecks.
func (r *receiver) Input() *stream.In { return &r.in }

// Recheck asks for what the kernel may have forgotten.
func (r *receiver) Recheck() { r.in.Recheck(&r.e.tools, &r.fd, r.recv) }

// read shows what has come. It is for the runner.
func (c *Conn) read() {
	for budget := piecesMax * pieceCost; budget > 0 && c.state == open && c.flags&paused == 0; {
		if c.isFull() { // by a receive into it
			budget--
			c.endFilling(nil)
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
	case c.in.First() != nil || c.flags&unshown != 0 || c.isFull() || c.in.ByHand():
		c.wake() // behind the others
	case !c.in.Over():
		c.arm()
	case c.in.Err() != 0:
		c.fail(reason(-c.in.Err()))
	case c.flags&taking != 0:
		c.endFilling(io.ErrUnexpectedEOF)
		c.wake()
	case c.flags&endTold == 0:
		c.flags |= endTold
		c.h.OnEnd(c)
	}
}

// nextBuffer is the next buffer to be shown; nil if there is none, or if the rest is to be shown or taken before.
func (c *Conn) nextBuffer() *bufs.Buffer {
	switch {
	case c.flags&unshown != 0 && (c.flags&taking != 0 || len(c.in.Mem()) > c.set.unread):
		return nil // so that what waits does not grow
	case c.in.First() != nil:
		return c.in.Pop()
	case !c.in.ByHand():
		return nil
	case c.takesDirectly() && c.flags&unshown == 0:
		in := c.e.fillings[c]
		c.e.l.Charge()
		if n, ok := c.in.Recv(&c.e.tools, &c.fd, in.p[in.n:min(len(in.p), in.n+pieceMax)], c.way()); ok {
			c.goesOn(reads)
			in.n += n
		}
		c.endFilling(nil)
		return nil
	case c.set.records && c.flags&unshown != 0:
		return nil // one at a time
	case c.set.records:
		return c.receiveRecord()
	}
	return c.receive()
}

// receive receives into a plain buffer, or a large one; nil if there is nothing now.
func (c *Conn) receive() *bufs.Buffer {
	most := pieceMax
	if k := len(c.in.Mem()); k > 0 {
		most = c.set.unread - k
	}
	c.e.l.Charge()
	b := c.in.Fill(&c.e.tools, &c.fd, c.held.Load() == 0, most, c.way()) // of a connection's leases one may be large
	if b != nil {
		c.goesOn(reads)
	}
	return b
}

// show has OnData look at the bytes of a buffer, behind those that it has not used.
func (c *Conn) show(b *bufs.Buffer) {
	e := c.e
	e.l.Charge()
	if b != nil && len(c.in.Mem()) > 0 {
		c.add(b)
		b = nil
	}
	p := c.in.Mem()
	if b != nil {
		p = b.Unread()
	}
	c.flags &^= unshown
	e.shown = shown{c: c, b: b}
	used := c.h.OnData(c, p)
	if used < 0 || used > len(p) {
		panic(fmt.Sprintf("event: OnData returned %d for %d bytes", used, len(p)))
	}
	s := e.shown
	e.shown = shown{}
	c.used(&s, p, used)
}

// add puts the bytes of a buffer behind those that were not used, and gives it back.
func (c *Conn) add(b *bufs.Buffer) {
	c.in.Add(&c.e.tools, b.Unread())
	b.Pool().Put(b)
}

// used takes back what OnData was shown.
func (c *Conn) used(s *shown, p []byte, used int) {
	left, over := p[used:], c.state >= closing
	switch {
	case s.b == nil && !s.kept:
		c.in.Skip(&c.e.tools, used)
	case len(left) > 0 && !over:
		c.in.Add(&c.e.tools, left)
	}
	if s.b != nil && !s.kept {
		s.b.Pool().Put(s.b)
	}
	if over {
		c.in.FreeMem(&c.e.tools)
		return
	}
	switch unused := len(c.in.Mem()); {
	case unused > 0 && (c.flags&taking != 0 || c.isAgain(s, used)):
		c.flags |= unshown
	case unused > c.set.unread && (c.flags&paused == 0 || c.set.records):
		c.fail(byUnread)
	case c.flags&paused != 0: // it may leave all
		c.spill()
	}
}

// isAgain reports whether what is left of what was shown is to be shown although no more comes: not to who has used
// nothing of it, and would for ever.
func (c *Conn) isAgain(s *shown, used int) bool {
	return (s.anew || s.again && used > 0) && c.flags&paused == 0 && !c.set.records
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
	for c.in.First() != nil {
		b := c.in.Pop()
		b.Pool().Put(b)
	}
	if c.e.shown.c != c {
		c.in.FreeMem(&c.e.tools)
	}
}

// Pause stops calls of OnData until Resume. Bytes that the peer sends stay in the kernel, and the peer has to wait;
// bytes received before stay with the connection. So OnData may take one message, pause, and leave any amount unused,
// without regard to SetUnreadMax; Resume passes it to OnData again. A connection that is being dialled may be paused.
func (c *Conn) Pause() {
	c.here("Conn.Pause")
	if c.state > open || c.flags&paused != 0 {
		return
	}
	c.flags |= paused
	if c.recv != nil && !c.recv.Canceled {
		c.e.l.Ops().Cancel(c.recv)
	}
	c.spill()
}

// spill moves what has come into memory of the connection's own, so that one that is paused does not hold what others
// need: but while that memory is being looked at.
func (c *Conn) spill() {
	if c.e.shown.c != c {
		c.in.Spill(&c.e.tools)
	}
}

// Resume ends a Pause. OnData gets unused bytes again, even if no more have arrived; if OnData itself has called Resume
// only if it has used some.
func (c *Conn) Resume() {
	c.here("Conn.Resume")
	if c.flags&paused != 0 {
		c.flags &^= paused
		if c.e.shown.c == c {
			c.e.shown.again = true
		} else if len(c.in.Mem()) > 0 {
			c.flags |= unshown
		}
		c.begins(reads)
		c.wake()
	}
}

// SetUnreadMax sets how many bytes OnData may leave unused, by default 65536. If it leaves more, the connection ends
// with ErrUnread; an OnData that calls Pause may leave any number. On a unixpacket connection it must use the whole
// record. SetUnreadMax panics if n is negative.
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

// dropRecheck is for a connection that closes.
func (c *Conn) dropRecheck() { c.e.rechecks.Drop((*receiver)(c)) }

// rechecks are the loop's.
type rechecks = stream.Rechecks[*receiver]
