package sock

import (
	"errors"
	"net"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Who accepts? Goroutines for themselves, as foreign callers of the listener, until the loop
// revokes that, which is for good; then the loop for all, see acceptForeign and acceptQueue.
//
//	goroutines ──a task comes, of whatever loop─────────▶ the loop
//	           ──there is no descriptor to wait by────────▲
//	           ──the socket is one that listeners share───┘
//
// A goroutine makes the plain call when it has access, and waits in Go's netpoller,
// for peers like one that reads a connection, and for a shortage to pass. What it accepts
// is a detached connection of the loop.

// errRevoked says that the loop is to be asked.
var errRevoked = errors.New("sock: the loop accepts")

// acceptLent is AcceptConn for goroutines, which are no tasks, without the loop.
func (ln *Listener) acceptLent() (*Conn, error) {
	var c *Conn
	var res int32
	a, err := ln.core.Enter(handle.In)
	if err == nil {
		c, res, err = ln.acceptNow(a)
		ln.core.Leave(a)
	}
	switch {
	case c != nil:
		c.detach()
		return c, nil
	case ln.l.Ended():
		return nil, ln.fail("accept", errEnded)
	case ln.core.ForeignClosing():
		return nil, ln.fail("accept", net.ErrClosed)
	case err == nil:
		return nil, ln.fail("accept", callError("accept4", res))
	}
	return nil, errRevoked
}

// acceptNow accepts for the foreign caller that has access. Without a connection it gives
// the call's result, or why it can't wait.
func (ln *Listener) acceptNow(a handle.Access) (c *Conn, res int32, err error) {
	o := a.Op()
	for {
		o.FD, o.Code = ln.core.FD(), op.Accept
		res, err = a.Do()
		switch {
		case err != nil:
			return nil, 0, err
		case shortage(res):
			if err := ln.waitOut(a, res); err != nil {
				return nil, 0, err
			}
		case res == -sys.ECONNABORTED: // gone before it was accepted
		case res < 0:
			return nil, res, nil
		case ln.l.Ended():
			ln.l.Kernel().Close(res)
			return nil, 0, nil
		default:
			ln.pauseLent = 0
			c = newDetached(ln.l, res)
			ln.name(c, &o.Ext.Addr)
			o.FD = ln.core.FD()
			return c, 0, nil
		}
	}
}

// waitOut has the foreign caller that has access, and got res, wait for the shortage to pass.
func (ln *Listener) waitOut(a handle.Access, res int32) error {
	ln.l.Call(func() { ln.l.Backoff(res) })
	return a.Pause(ln.pauseLent.next())
}
