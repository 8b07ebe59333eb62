package sock

import (
	"errors"
	"net"
	"sync/atomic"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Who accepts? Goroutines for themselves, as guests of the listener, until the loop
// recalls that, which is for good; then the loop for all, see acceptAsGuest and shelf.
//
//	goroutines ──a task comes, of whatever loop─────────▶ the loop
//	           ──there is no descriptor to wait by────────▲
//	           ──the socket is one that listeners share───┘
//
// A goroutine makes the plain call when its turn has come, and waits in Go's netpoller,
// for peers like one that reads a connection, and for a shortage to pass. What it accepts
// is a stray of the loop.

// errRecalled says that the loop is to be asked.
var errRecalled = errors.New("sock: the loop accepts")

func (ln *Listener) newGuests() *guests {
	g := newGuests(ln.l, &ln.fd, (*listenerHost)(ln))
	for _, s := range [...]*side{&g.in, &g.out} {
		s.held, s.limit = true, new(atomic.Int64)
	}
	g.in.op, g.in.keepsOp = &op.Op{Ext: new(op.Ext)}, true
	return g
}

// acceptAway is AcceptConn for goroutines, which are no tasks, without the loop.
func (ln *Listener) acceptAway() (*Conn, error) {
	g, s := ln.guests, &ln.guests.in
	var c *Conn
	var res int32
	err := g.enter(s)
	if err == nil {
		s.alone = true
		c, res, err = ln.acceptInTurn(s)
		g.leave(s)
	}
	switch {
	case c != nil:
		c.bornAway()
		return c, nil
	case ln.l.Ended():
		return nil, ln.fail("accept", errEnded)
	case g.over():
		return nil, ln.fail("accept", net.ErrClosed)
	case err == nil:
		return nil, ln.fail("accept", callError("accept4", res))
	}
	return nil, errRecalled
}

// acceptInTurn accepts for the guest that has its turn. Without a connection it gives
// the call's result, or why it can't wait.
func (ln *Listener) acceptInTurn(s *side) (c *Conn, res int32, err error) {
	for {
		s.op.FD, s.op.Code = &ln.fd, op.Accept
		res, err = s.g.do(s)
		switch {
		case err != nil:
			return nil, 0, err
		case shortage(res):
			if err := ln.waitOut(s, res); err != nil {
				return nil, 0, err
			}
		case res == -sys.ECONNABORTED: // gone before it was accepted
		case res < 0:
			return nil, res, nil
		case ln.l.Ended():
			closeRaw(res)
			return nil, 0, nil
		default:
			ln.pauseAway = 0
			c = newStray(ln.l, res)
			ln.name(c, &s.op.Ext.Addr)
			return c, 0, nil
		}
	}
}

// waitOut has the guest that has its turn, and got res, wait for the shortage to pass.
func (ln *Listener) waitOut(s *side, res int32) error {
	ln.l.Call(func() { ln.l.Backoff(res) })
	return s.g.pause(s, ln.pauseAway.next())
}

// listenerHost is the listener as the host of its guests.
type listenerHost Listener

func (h *listenerHost) vacated() { (*Listener)(h).maybeClosed() }

func (h *listenerHost) discard() {
	ln := (*Listener)(h)
	closeRaw(ln.fd.Take())
	ln.concluded()
}
