package sock

import (
	"fmt"

	"ringo"
	"ringo/internal/loop"
)

// MoveTo moves the connection to another loop, of the same Run or another, with its unread bytes, deadlines, value and
// SetIdle state: to a less busy loop, for example, or to the one that has the state that the connection needs. Use the
// returned Conn from now on, usually in a new task on that loop.
//
// The old Conn is closed: waiting calls return net.ErrClosed, writes with the count of bytes sent, and a Handler sees
// it end as if it had closed it. Its leases stay valid, and no longer count against the limit. No byte is lost or sent
// twice, even while the peer sends. Moving to the loop that the connection belongs to does nothing and returns the same
// Conn.
//
// If the other loop has ended (ringo.ErrEnded), or its driver can't wait for this descriptor, MoveTo fails and the
// connection is unchanged; if the loop ends during the move, the connection is closed with it.
//
// If a copy from the connection (io.Copy, WriteTo) is waiting for its writer, MoveTo waits for the copy, so that bytes
// that the writer does not take are not lost; it does not if the writer itself calls MoveTo in a task of the loop. If
// that takes 10 s the error is syscall.EBUSY; then, and if the calling task is cancelled meanwhile, the connection is
// unchanged.
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
	to := c.away(l)
	c.keepPlace()
	p, err := c.part("move")
	if err != nil {
		c.stays()
		to.add(-1)
		return nil, err
	}
	var moved *Conn
	l.Go(func() { moved = c.rebind(l, p) }).Wait()
	if moved == nil {
		to.add(-1)
		if len(p.Unsent) > 0 { // the peer must not take this for the stream's end
			c.l.Kernel().SetLinger(p.FD, 0)
		}
		c.l.Kernel().Close(p.FD)
		c.leavePlace()
		return nil, c.fail("move", errTargetEnded)
	}
	return moved, nil
}

// errTargetEnded does not match net.ErrClosed, because the connection may be as it was before.
var errTargetEnded = fmt.Errorf("the loop to move to: %w", loop.ErrEnded)

// rebind makes a connection of l from what is left of c, which has left its loop.
func (c *Conn) rebind(l *loop.Loop, p *detachState) *Conn {
	n := newConn(l, p.FD)
	n.laddr, n.raddr = c.laddr, c.raddr
	if u := c.unix; u != nil {
		n.becomeUnix(u.local, u.remote)
		n.unix.from = u.from
	}
	if n.vsock() != nil {
		n.doubt()
	}
	if from := n.acceptedBy(); from != nil {
		from.closed.Add(^uint64(0)) // it is still open
	}
	n.accepts.Store(c.accepts.Load())
	n.value.Store(c.value.Load())
	if n.lacksZeroCopy() == nil {
		n.lendFrom.Store(c.lendFrom.Load())
	}
	n.core.Deadlines(&c.core)
	n.core.MovedFrom(&c.core)
	n.goOnWith(&p.Parts, p.lost)
	return n
}
