package differ

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"

	"ringo/event"
	"ringo/internal/test/eventtest"
	"ringo/sock"
)

// eventConn is a connection of callbacks, as a Conn for the actors of its loop.
type eventConn struct {
	*eventtest.Conn
	b *callbacks
}

func (b *callbacks) newConn() *eventConn { return &eventConn{b.NewConn(), b} }

// world returns the World of the actor that runs now.
func (c *eventConn) world() *callbackWorld { return c.b.Now.Of.(*callbackWorld) }

func (c *eventConn) Next() (Lease, error)            { return c.Conn.Next() }
func (c *eventConn) WriteLease(b Lease) (int, error) { return c.Conn.WriteLease(b) }

// SendFile returns before the file is sent. Flush waits for that.
func (c *eventConn) SendFile(head []byte, f File, off, n int64) (int, error) {
	return c.Conn.SendFile(head, f.(ringoFile).File, off, n)
}

// closeBesideDetach makes one task detach and close the connection, and another one abort it right after.
func (c *eventConn) closeBesideDetach() error {
	a := c.world()
	if err := c.Flush(); err != nil || c.C.Unsent() > 0 || c.Over {
		return c.Close()
	}
	c.Closing, c.Leaving = true, true
	a.Aside(func() {
		a.l.Go(func() { c.C.Abort() })
		s, err := c.C.Detach()
		if err == nil {
			c.Closed = true
			err = s.Close()
		} else if errors.Is(err, net.ErrClosed) {
			err = nil
		}
		if err != nil {
			c.b.Wrong("Detach and Abort: %v", err)
		}
	})
	return c.AwaitClosed()
}

// endStuck writes more than the socket takes, and then aborts the connection.
func (c *eventConn) endStuck(p []byte) string {
	c.Lend(p)
	c.b.Now.Until(func() bool { return true })
	stuck := c.C.Unsent() > 0
	c.Closing = true
	c.C.Abort()
	return fmt.Sprint(stuck, " ", class(c.AwaitClosed()))
}

// perish makes a callback of the connection panic or exit, which ends the connection.
func (c *eventConn) perish(how int) error {
	if c.Flush(); c.Inside { // unread bytes are shown again only after the callback
		c.b.Now.Until(func() bool { return true })
	}
	die := func() {
		c.Dies, c.Broke = nil, event.ErrNoReturn
		if how%2 == 1 {
			runtime.Goexit()
		}
		panic(onPurpose)
	}
	c.Closing, c.Dies = true, die
	switch how / 2 {
	case 0:
		c.C.WriteThen(nil, func(error) { die() })
	case 1:
		c.C.ReadFull(nil, func(int, error) { die() })
	}
	c.Show()
	return c.AwaitClosed()
}

// onPurpose is the value of planned panics in callbacks.
const onPurpose = "differ: as it is planned"

// detach makes a task take the connection, and convert it by f.
func (c *eventConn) detach(f func(s *sock.Conn) (Conn, error)) (made Conn, err error) {
	err = c.Detach(func(s *sock.Conn) (err error) { made, err = f(s); return err })
	return made, err
}

// SetLinger needs a task: the connection is detached, and adopted again.
func (c *eventConn) SetLinger(sec int) error {
	_, err := c.detach(func(s *sock.Conn) (Conn, error) {
		if err := s.SetLinger(sec); err != nil {
			return nil, err
		}
		*c.Conn = *c.b.NewConn()
		return c, c.Adopt(s)
	})
	return err
}

// MoveTo hands the connection by way of a task to the callbacks of another loop.
func (c *eventConn) MoveTo(to int) (Conn, error) {
	a := c.world()
	return c.detach(func(s *sock.Conn) (made Conn, err error) {
		l := a.loop(to)
		if l == a.l {
			return c.b.adopt(s)
		}
		if s, err = s.MoveTo(l); err != nil {
			return nil, err
		}
		err = l.Call(func() (err error) {
			made, err = a.boards[to].adopt(s)
			return err
		})
		return made, err
	})
}

func (c *eventConn) Leave(to, n int, _ func(f func() error) error) (p []byte, _ Conn, err error) {
	a := c.world()
	back, err := c.detach(func(s *sock.Conn) (_ Conn, err error) {
		var back Conn
		if p, back, err = (ringoConn{s}).Leave(to, n, a.Offload); err != nil {
			return nil, err
		}
		return c.b.adopt(back.(ringoConn).Conn)
	})
	return p, back, err
}

// Where tasks have options, callbacks have bounds, which these methods set.

func (c *eventConn) SetBatching(on bool) error {
	c.Unread = eventtest.UnreadMax
	if on {
		c.Unread = 20
	}
	c.Bound()
	return nil
}

func (c *eventConn) SetNoDelay(on bool) error {
	if on {
		c.C.SetMarks(1, 1)
	} else {
		c.C.SetMarks(64<<10, 1<<20)
	}
	return nil
}

func (c *eventConn) SetReadBuffer(n int) error {
	if n > 64<<10 {
		n = 100
	} else {
		n = eventtest.UnsentMax
	}
	c.b.E.SetUnsentMax(n)
	return nil
}

func (c *eventConn) SetWriteBuffer(int) error { return nil }

// holder returns the callbacks that own an object, which no other caller may use, or nil if there are none.
func holder(v any) *callbacks {
	if at, served := v.(server); served {
		v = at.Listener
	}
	switch v := v.(type) {
	case *eventConn:
		return v.b
	case *eventListener:
		return v.b
	}
	return nil
}

// ofCallbacks reports whether callbacks make the call themselves, and not a task for them.
func (a *actor) ofCallbacks(s *Step) bool {
	if _, is := a.World.(*callbackWorld); !is {
		return false
	}
	switch s.verb {
	case listen, dial, refused:
		return true
	case accept:
		return holder(a.objs[s.P]) != nil
	case stopLoop:
		return true
	case waitFor:
		return (s.M == waitOnConn || s.M == waitOnListener) && holder(a.objs[s.O]) != nil
	}
	return slices.Contains(ofSockets, s.verb) && holder(a.objs[s.O]) != nil
}
