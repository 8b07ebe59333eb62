package event

import (
	"io"
	"os"

	"ringo/buf"
	"ringo/internal/bufs"
)

// Handler is what becomes of a connection's events. One value may serve many connections: what belongs to one of
// them is in Conn.SetValue, or in a Handler of its own. All methods are called on the loop's thread, one at a time for
// all of the loop's callbacks; they must not wait, see the package's documentation. Embed Base for those that are not
// needed.
type Handler interface {
	// OnOpen is called once, first, when the connection is accepted or has been made, also if it has ended by then, as
	// by Loop.Stop. Only a dial that fails has an OnClose alone.
	OnOpen(c *Conn)
	// OnData is called with bytes that have come, and returns how many of them it has used: the rest is shown again,
	// with what comes behind it, when there is more, or by Conn.Resume. p is the callee's until it returns, and may be
	// written to; Conn.Keep is for a handler that wants it longer. More than Conn.SetUnreadMax bytes that are not used
	// end the connection, but for an OnData that has called Conn.Pause.
	// Of unixpacket p is one record, and any byte that is not used ends the connection. A record of no bytes is shown;
	// behind the peer's close it looks like the end, and counts as that.
	OnData(c *Conn, p []byte) (used int)
	// OnEnd is called once, when the peer has ended its side and all that came before was shown. This side may still
	// write; Base closes it.
	OnEnd(c *Conn)
	// OnWritable is called when what waited for room in the socket has been sent but for half of the high-water mark,
	// after Conn.Congested was true; see Conn.Write.
	OnWritable(c *Conn)
	// OnTimeout is called when nothing has come, or nothing was sent of what waits, for as long as Conn.SetTimeouts has
	// said. Base ends the connection, and drops what waits; OnClose is told os.ErrDeadlineExceeded then.
	OnTimeout(c *Conn, what Timeout)
	// OnClose is called once, last: the descriptor is closed, and nothing of the connection is under way. err says why:
	// nil if Close or Abort was called, io.EOF if the peer had ended its side by then, and otherwise what has failed.
	OnClose(c *Conn, err error)
}

// Base is a Handler to be embedded in others: it drops what comes, closes a connection whose peer has ended its side,
// and does nothing else.
type Base struct{}

var _ Handler = Base{}

// OnOpen does nothing.
func (Base) OnOpen(*Conn) {}

// OnData uses all there is.
func (Base) OnData(_ *Conn, p []byte) int { return len(p) }

// OnEnd closes the connection.
func (Base) OnEnd(c *Conn) { c.Close() }

// OnWritable does nothing.
func (Base) OnWritable(*Conn) {}

// OnTimeout ends the connection.
func (Base) OnTimeout(c *Conn, what Timeout) {
	c.here("Base.OnTimeout")
	if what == WriteTimeout {
		c.fail(byWriteTimeout)
	} else {
		c.fail(byReadTimeout)
	}
}

// OnClose does nothing.
func (Base) OnClose(*Conn, error) {}

// reason is why a connection ends.
type reason int32

// The reasons that are no errno.
const (
	byCall reason = -iota - 1 // Close
	byPanic
	byUnread
	byLoop
	byDetach
	byReadTimeout
	byWriteTimeout
)

func (c *Conn) why() error {
	switch {
	case c.out != nil && c.out.err != nil:
		return c.out.err
	case c.reason > 0:
		name := "read"
		if c.flags&sendFailed != 0 {
			name = "write"
		}
		return c.opError(name, callError(name, -int32(c.reason)))
	case c.reason == byPanic:
		return ErrNoReturn
	case c.reason == byUnread:
		return ErrUnread
	case c.reason == byLoop:
		return ErrStopped
	case c.reason == byDetach:
		return ErrDetached
	case c.reason == byReadTimeout:
		return c.opError("read", os.ErrDeadlineExceeded)
	case c.reason == byWriteTimeout:
		return c.opError("write", os.ErrDeadlineExceeded)
	case c.in.Over():
		return io.EOF
	}
	return nil
}

// Keep gives the bytes that OnData is being shown to the caller, until Release, so that they outlast its return. All of
// them count as held, also those that OnData says it has not used; of these the connection has a copy. It is an error
// if as many leases of the connection are held as ringo.Config.Leases, or if there is nothing to keep: outside of
// OnData, or a second time.
func (c *Conn) Keep() (buf.Lease, error) {
	e := c.here("Conn.Keep")
	s := &e.shown
	switch {
	case s.c != c || s.kept:
		return buf.Lease{}, errNothing
	case int(c.held.Load()) >= e.l.Config().Leases:
		return buf.Lease{}, ErrLeases
	}
	s.kept = true
	if s.b != nil {
		return buf.Lease(s.b.Lease(&c.held)), nil
	}
	return buf.Lease(bufs.Of(c.in.TakeMem(), &c.held)), nil
}
