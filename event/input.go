package event

import (
	"fmt"
	"io"

	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// piecesMax is how many pieces of input are shown in a row before other connections get their turn; pieceMax is how
// many bytes one call moves.
const (
	piecesMax   = 8
	largePieces = 4 // a large buffer counts as so many
	pieceMax    = stream.PieceMax
	pieceCost   = 8 // so many ReadFulls from bytes that are here count as a piece
)

// shown is what OnData is being shown.
type shown struct {
	c    *Conn
	b    *bufs.Buffer // nil: the bytes are in the connection's own memory
	kept bool         // by Keep
	// The rest is to be shown once more: again, if OnData has used some; anew, in any case.
	again, anew bool
}

// way returns how the input is to be armed.
func (c *Conn) way() stream.Way {
	switch {
	case c.set.records: // records are received until there are no more
		return stream.Once
	case c.e.l.Lends():
		return stream.Lent
	}
	return stream.Level
}

// arm makes sure that the loop will hear of more input.
func (c *Conn) arm() {
	if c.takesDirectly() && c.e.l.Lends() {
		c.fill()
	} else if c.recv == nil {
		c.armed(c.in.Arm(&c.e.tools, &c.fd, (*receiver)(c), c.way()))
	}
}

// armed keeps the op that will bring more. Without one the connection fails.
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

// Input returns the input, for the rechecks.
func (r *receiver) Input() *stream.In { return &r.in }

// Recheck asks the kernel for news that it may have forgotten to report.
func (r *receiver) Recheck() { r.in.Recheck(&r.e.tools, &r.fd, r.recv) }

// read shows the input that has come. Only the runner calls it.
func (c *Conn) read() {
	for budget := piecesMax * pieceCost; budget > 0 && c.state == open && c.flags&paused == 0; {
		if c.isFull() { // a receive has filled it
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
		case b != nil && b.Pool() == c.e.l.Buffers().Large:
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
		c.wake() // after the other connections
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

// nextBuffer returns the next buffer to show. It returns nil if there is none, or if unused bytes are to be shown or
// taken first.
func (c *Conn) nextBuffer() *bufs.Buffer {
	switch {
	case c.flags&unshown != 0 && (c.flags&taking != 0 || len(c.in.Mem()) > c.set.unread):
		return nil // so that the bytes that wait do not grow
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
		return nil // one record at a time
	case c.set.records:
		return c.receiveRecord()
	}
	return c.receive()
}

// receive receives into a plain or a large buffer; nil if nothing has come.
func (c *Conn) receive() *bufs.Buffer {
	most := pieceMax
	if k := len(c.in.Mem()); k > 0 {
		most = c.set.unread - k
	}
	c.e.l.Charge()
	b := c.in.Fill(&c.e.tools, &c.fd, c.held.Load() == 0, most, c.way()) // one of its leases may be large
	if b != nil {
		c.goesOn(reads)
	}
	return b
}

// show calls OnData with the bytes of a buffer, after those that it has not used.
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

// add copies the bytes of a buffer behind those that were not used, and gives the buffer back.
func (c *Conn) add(b *bufs.Buffer) {
	c.in.Add(&c.e.tools, b.Unread())
	b.Pool().Put(b)
}

// used takes back what OnData was shown, and keeps the bytes that it has not used.
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
	case c.flags&paused != 0: // OnData may leave any number
		c.spill()
	}
}

// isAgain reports whether the rest of what was shown is to be shown although no more has come. An OnData that has used
// nothing must not get the same bytes again, since it might go on like that forever.
func (c *Conn) isAgain(s *shown, used int) bool {
	return (s.anew || s.again && used > 0) && c.flags&paused == 0 && !c.set.records
}

// dropShown takes back what was shown to an OnData that did not return.
func (e *Loop) dropShown() {
	s := e.shown
	e.shown = shown{}
	if s.b != nil && !s.kept {
		s.b.Pool().Put(s.b)
	}
}

// dropInput drops received bytes. Those that OnData is being shown stay until it returns.
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

// spill moves received bytes into the connection's own memory, so that a paused connection does not hold buffers that
// others need. It does nothing while OnData is being shown bytes.
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

// own gives the connection settings of its own.
func (c *Conn) own() *settings {
	if c.set == &defaults || c.set == &recordDefaults {
		s := *c.set
		c.set = &s
	}
	return c.set
}

// rechecks is the type of a loop's rechecks.
type rechecks = stream.Rechecks[*receiver]
