package sock

import (
	"net"

	"ringo/internal/loop"
)

// caller is somebody in Accept who is no task of the listener's loop. It is no task
// of its own either, so that it does not keep the loop alive.
type caller struct {
	p    loop.Parker
	conn *Conn
	err  error
}

// acceptAsGuest is AcceptConn for guests: the loop accepts for them, and ahead of them.
func (ln *Listener) acceptAsGuest() (*Conn, error) {
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		l.Burst()
		return nil, ln.fail("accept", l.Cause())
	}
	if c, left := ln.shelf.take(); c != nil {
		if left == queueMax/2 {
			ln.l.Call(ln.arm) // it may have been full
		}
		return c, nil
	}
	w := new(caller)
	w.p.Begin(l, t)
	if !ln.l.Call(func() { ln.call(w) }) {
		return nil, ln.fail("accept", errEnded)
	}
	if _, ok := w.p.Park(); !ok {
		ln.l.Call(func() { ln.hangUp(w) })
		return nil, ln.fail("accept", l.Cause())
	}
	return w.conn, w.err
}

// call puts a guest behind those who wait.
func (ln *Listener) call(w *caller) {
	ln.shelf.open = !ln.closing
	ln.callers = append(ln.callers, w)
	ln.serveCallers()
	if len(ln.callers) > 0 {
		ln.arm()
		ln.serveCallers() // arm may have failed
	}
}

// hangUp takes a cancelled one out.
func (ln *Listener) hangUp(w *caller) {
	for i, o := range ln.callers {
		if o == w {
			ln.callers = append(ln.callers[:i], ln.callers[i+1:]...)
			ln.unasked()
			return
		}
	}
}

// serveCallers gives those who wait what there is for them: connections, an error,
// or the end.
func (ln *Listener) serveCallers() {
	for len(ln.callers) > 0 {
		ln.shelve()
		c, _ := ln.shelf.take()
		if !ln.closing && c == nil && ln.err == 0 {
			return
		}
		w := ln.callers[0]
		ln.callers = append(ln.callers[:0], ln.callers[1:]...)
		if !w.p.Claim(yours) {
			ln.shelf.putBack(c)
			continue
		}
		if w.conn = c; c == nil {
			w.err = ln.noneBecause()
		}
		w.p.Wake()
	}
}

// noneBecause is why a guest gets no connection.
func (ln *Listener) noneBecause() error {
	switch {
	case !ln.closing:
		return ln.refused()
	case ln.l.Ended():
		return ln.fail("accept", errEnded)
	}
	return ln.fail("accept", net.ErrClosed)
}

// closeAsGuest is Close for guests.
func (ln *Listener) closeAsGuest() {
	l, t := loop.Current()
	p := new(loop.Parker)
	p.Begin(l, t)
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	if ln.l.Call(func() {
		ln.beginClose()
		if ln.closed {
			p.Claim(over)
			p.Wake()
			return
		}
		ln.leaving = append(ln.leaving, p)
	}) {
		p.Park()
	}
}
