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

// acceptAsGuest is AcceptConn for guests: the loop accepts for them.
func (ln *Listener) acceptAsGuest() (*Conn, error) {
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		l.Burst()
		return nil, ln.fail("accept", l.Cause())
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
			return
		}
	}
}

// serveCallers gives those who wait what there is for them: connections, an error,
// or the end.
func (ln *Listener) serveCallers() {
	for len(ln.callers) > 0 {
		if !ln.closing && ln.queue.len() == 0 && ln.err == 0 {
			return
		}
		w := ln.callers[0]
		ln.callers = append(ln.callers[:0], ln.callers[1:]...)
		if !w.p.Claim(yours) {
			continue
		}
		if ln.closing {
			w.err = ln.fail("accept", ln.closedBecause())
		} else if s, ok := ln.queue.pop(); ok {
			w.conn = ln.accepted(s)
			w.conn.bornAway()
		} else {
			w.err = ln.refused()
		}
		w.p.Wake()
	}
}

func (ln *Listener) closedBecause() error {
	if ln.l.Ended() {
		return errEnded
	}
	return net.ErrClosed
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
