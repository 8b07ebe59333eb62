package ringofasthttp

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
)

// serving is one call of Serve, and what its drain does with connections that have answered all that was asked:
//
//	drain begins ──▶ those that have rested for long end ──▶ patience passes ──▶ the others end, and
//	                                                                              each that comes to rest
//
// One that was asked a moment ago may have the next request on its way, which would fail if the connection ended now;
// it is answered, and the answer says that it is the last.
type serving struct {
	*server
	l    *ringo.Loop
	late bool // patience has passed
}

// patience is for how long a connection may be about to ask again.
var patience = time.Second // but in tests

// conn is what a drain knows of a connection. It is its loop's alone.
type conn struct {
	idler
	of    *serving
	since time.Time // when it came to rest; zero while it is asked something
}

// idler is a connection that ends by itself in a drain, if it is idle.
type idler interface {
	net.Conn
	SetIdle(idle bool) error
}

// busy does not ask for SetIdle's error: a connection that has ended says so when it is used.
func (c *conn) busy() {
	c.since = time.Time{}
	c.SetIdle(false)
}

func (c *conn) rests() {
	if c.since = c.of.l.Now(); c.of.late {
		c.SetIdle(true)
	}
}

// drains ends connections that rest, when Serve's loop drains. stop is for Serve's end.
func (s *serving) drains() (stop func()) {
	var timer *ringo.Timer
	unwatch := s.l.OnDrain(func() {
		s.draining.Store(true)
		s.endRest(s.l.Now().Add(-patience))
		timer = s.l.AfterFunc(patience, func() {
			s.late = true
			s.endRest(s.l.Now())
		})
	})
	return func() {
		if unwatch(); timer != nil {
			timer.Stop()
		}
	}
}

// endRest marks what has rested since a time, which ends what waits for the next request.
func (s *serving) endRest(since time.Time) {
	s.conns.Range(func(_, v any) bool {
		if c := v.(*conn); c.of == s && !c.since.IsZero() && !c.since.After(since) {
			c.SetIdle(true)
		}
		return true
	})
}

// follow follows connections as a Server's states go, and tells the program's hook.
func (s *server) follow(hook func(net.Conn, fasthttp.ConnState)) func(net.Conn, fasthttp.ConnState) {
	return func(nc net.Conn, state fasthttp.ConnState) {
		if c, ok := s.conns.Load(nc); ok {
			switch state {
			case fasthttp.StateActive:
				c.(*conn).busy()
			case fasthttp.StateIdle:
				c.(*conn).rests()
			}
		}
		if hook != nil {
			hook(nc, state)
		}
	}
}
