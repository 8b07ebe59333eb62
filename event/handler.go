package event

import (
	"io"
	"os"

	"ringo/buf"
	"ringo/internal/bufs"
)

// A Handler receives a connection's events. One value may serve many connections: keep the state of one with
// Conn.SetValue, or in a Handler of its own. All methods are called on the loop's thread, one callback of the loop at a
// time; they must not wait, see the package documentation. Embed Base for methods that you do not need.
type Handler interface {
	// OnOpen is called once, first, when the connection is established, even if it has ended by then, for example by
	// Loop.Stop. For a failed dial only OnClose is called.
	OnOpen(c *Conn)
	// OnData is called with received bytes, and returns how many of them it has used: it gets the rest again, with the
	// bytes that follow, when more arrive or after Conn.Resume. p is valid until OnData returns, and may be written to;
	// Conn.Keep keeps it longer. The connection ends if more than Conn.SetUnreadMax bytes are left unused and OnData
	// has not called Conn.Pause. On unixpacket p is one record, which must be used completely, or the connection ends.
	// An empty record is passed on too; after the peer's close it can't be distinguished from the end of the stream,
	// and counts as that.
	OnData(c *Conn, p []byte) (used int)
	// OnEnd is called once, when the peer has ended its side and OnData has got all bytes before. The connection can
	// still write; Base closes it.
	OnEnd(c *Conn)
	// OnWritable is called after Conn.Congested was true, once unsent bytes are down to half of the high-water mark;
	// see Conn.Write.
	OnWritable(c *Conn)
	// OnTimeout is called at a timeout of Conn.SetTimeouts. Base ends the connection, and drops unsent bytes; OnClose
	// then gets os.ErrDeadlineExceeded.
	OnTimeout(c *Conn, what Timeout)
	// OnClose is called once, last, when the descriptor is closed and all operations have ended. err is the reason: nil
	// if Close or Abort was called, even if the peer had reset the connection and no callback knew; io.EOF if the peer
	// had ended its side by then; and otherwise the failure.
	OnClose(c *Conn, err error)
}

// Base is a Handler to embed in others: it drops received bytes, closes a connection whose peer has ended its side, and
// does nothing else.
type Base struct{}

var _ Handler = Base{}

// OnOpen does nothing.
func (Base) OnOpen(*Conn) {}

// OnData drops all bytes.
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

// reason is why a connection ends: an errno, or one of the constants below.
type reason int32

// The reasons that are not an errno.
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
	case c.in.EOF():
		return io.EOF
	}
	return nil
}

// Keep lets the caller keep the bytes passed to OnData until Release, after OnData has returned. It keeps all of them;
// the connection copies those that OnData does not use. It fails outside of OnData, if called a second time, and if
// ringo.Config.Leases leases of the connection are held.
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
