package sock

import (
	"net"

	"ringo/internal/handle"
	"ringo/internal/loop"
)

// served is what a caller in Accept is told.
const served = 0

// caller is somebody in Accept who is no task of the listener's loop. It is no task
// of its own either, so that it does not keep the loop alive.
type caller struct {
	p    loop.Parker
	conn *Conn
	err  error
}

// acceptForeign is AcceptConn for foreign callers, in task t of l or in none: goroutines accept for themselves
// if they can,
// see listener_away.go. Else the loop accepts for them, and ahead of them.
func (ln *Listener) acceptForeign(l *loop.Loop, t *loop.Task) (*Conn, error) {
	if ln.l == nil {
		return nil, errZero
	}
	switch {
	case l == nil:
		if c, err := ln.acceptLent(); err != errRevoked {
			return c, err
		}
	case l.Canceled():
		l.ChargeAndYield()
		return nil, ln.fail("accept", l.Cause())
	}
	ln.core.Revoke(handle.In)
	c, refill, tell := ln.ready.ask(nil)
	var w *caller
	if c == nil {
		w = new(caller)
		w.p.Begin(l, t)
		c, refill, tell = ln.ready.ask(w)
	}
	if c != nil {
		if refill {
			ln.l.Call(ln.arm)
		}
		return c, nil
	}
	if tell && !ln.l.Call(ln.called) && ln.ready.leave(w) {
		return nil, ln.fail("accept", errEnded)
	} // else the loop, which ends, has served it
	if _, ok := w.p.Park(); !ok {
		ln.ready.leave(w)
		ln.l.Call(ln.unasked)
		return nil, ln.fail("accept", l.Cause())
	}
	return w.conn, w.err
}

// called is told that foreign callers wait.
func (ln *Listener) called() {
	ln.ready.open = !ln.core.Closing()
	ln.serveCallers()
	if ln.ready.asked() {
		ln.arm()
		ln.failed() // if arm has
	}
	ln.stand()
}

// serveCallers gives those who wait what there is for them: connections, an error,
// or the end.
func (ln *Listener) serveCallers() {
	for ln.ready.asked() {
		ln.fillReady()
		c := ln.ready.pop()
		if !ln.core.Closing() && c == nil && ln.err == 0 {
			return
		}
		w := ln.ready.caller()
		if w == nil || !w.p.Claim(served) {
			ln.ready.putBack(c)
			continue
		}
		if w.conn = c; c == nil {
			w.err = ln.noneBecause()
		}
		w.p.Wake()
	}
}

// noneBecause is why a foreign caller gets no connection.
func (ln *Listener) noneBecause() error {
	switch {
	case !ln.core.Closing():
		return ln.refused()
	case ln.l.Ended():
		return ln.fail("accept", errEnded)
	}
	return ln.fail("accept", net.ErrClosed)
}
