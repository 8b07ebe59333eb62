package sock

import (
	"fmt"

	"ringo"
	"ringo/internal/loop"
)

// MoveTo moves the connection to another loop, of the same Run or another, with its
// unread bytes, deadlines, value and SetIdle: to a loop that has less to do, or to the one that
// has the state which the connection turned out to be for. What it returns is the
// connection from now on, usually used by a task that is started on that loop next.
//
// The old Conn is closed for everybody: callers that wait on it get net.ErrClosed, writers
// with the count that went out, and in a Handler it ends as one that the handler
// closed. Leases of it stay valid, and count no more. No byte is lost or sent twice,
// while the peer goes on sending. To move to the loop that it belongs to does nothing,
// and returns the same Conn.
//
// If the other loop has ended, which is ringo.ErrEnded, or its driver can't wait for this descriptor, MoveTo
// fails and the connection is as before; if it ends at that very moment the connection
// is closed with it.
//
// A copy of it (io.Copy, WriteTo) that waits for its writer is waited for, so that what the writer does not take is
// not lost, but for a writer that calls MoveTo itself in a task of the loop. If that takes 10 s the error is
// syscall.EBUSY; then, and if the calling task is cancelled meanwhile, the connection is as before.
//
// Any goroutine may call it; a task parks until the operations in flight have ended.
func (c *Conn) MoveTo(l *ringo.Loop) (moved *Conn, err error) {
	err = onOwner(c.l, func() error {
		moved, err = c.moveTo((*loop.Loop)(l))
		return err
	})
	return moved, c.failOnOwner("move", err)
}

func (c *Conn) moveTo(l *loop.Loop) (*Conn, error) {
	if err := c.core.Check(); err != nil {
		return nil, c.fail("move", err)
	}
	switch l {
	case nil:
		return nil, c.fail("move", errNoLoop)
	case c.l:
		return c, nil
	}
	if l.Ended() {
		return nil, c.fail("move", errTargetEnded)
	}
	if err := l.Unwatchable(c.core.FD().Sys()); err != nil {
		return nil, c.fail("move", err)
	}
	p, err := c.part("move")
	if err != nil {
		return nil, err
	}
	var moved *Conn
	l.Go(func() { moved = c.rebind(l, p) }).Wait()
	if moved == nil {
		if len(p.unsent) > 0 { // the peer must not take this for the stream's end
			c.l.Kernel().SetLinger(p.fd, 0)
		}
		c.l.Kernel().Close(p.fd)
		return nil, c.fail("move", errTargetEnded)
	}
	return moved, nil
}

// errTargetEnded has nothing to do with net.ErrClosed: the connection may be as before.
var errTargetEnded = fmt.Errorf("the loop to move to: %w", loop.ErrEnded)

// rebind makes a new connection of one that has left its loop.
func (c *Conn) rebind(l *loop.Loop, p *detachState) *Conn {
	n := newConn(l, p.fd)
	n.laddr, n.raddr = c.laddr, c.raddr
	if u := c.unix; u != nil {
		n.becomeUnix(u.local, u.remote)
		n.unix.from = u.from
	}
	if from := n.acceptedBy(); from != nil {
		from.closed.Add(^uint64(0)) // it is still open
	}
	n.core.SetLinger(c.core.Linger())
	n.accepts.Store(c.accepts.Load())
	n.value.Store(c.value.Load())
	if n.lacksZeroCopy() == nil {
		n.lendFrom.Store(c.lendFrom.Load())
	}
	n.in.resume(n, p.unread)
	n.in.End(p.eof, p.err)
	n.core.Deadlines(&c.core)
	n.core.MovedFrom(&c.core)
	n.core.Resume(p.unsent, p.lost)
	return n
}
