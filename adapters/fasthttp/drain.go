package ringofasthttp

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/internal/loop"
)

// serving is one call of Serve. Its drain ends the connections that have answered all their requests:
//
//	drain begins ──▶ those that have rested for long end ──▶ patience passes ──▶ the others end, and
//	                                                                              each that comes to rest
//
// A connection that had a request a moment ago may have the next one on its way, which would fail if the connection
// ended now; that request is answered, and the answer says that it is the last. A connection that has sent no request
// yet is idle from the start, and has the time that package sock gives it.
type serving struct {
	*server
	l     *ringo.Loop
	late  bool // patience has passed
	conns map[*conn]struct{}
	open  ringo.WaitGroup // connections, including those of hijack handlers
}

// patience is how long a connection may take to send its next request in a drain, or half of Grace if that is less.
var patience = time.Second // tests shorten it

// drains makes connections that rest end when Serve's loop drains. Serve calls stop when it returns.
func (s *serving) drains() (stop func()) {
	var timer *ringo.Timer
	unwatch := s.l.OnDrain(func() {
		s.drain()
		s.endRest(s.l.Now().Add(-patience))
		timer = s.l.AfterFunc((*loop.Loop)(s.l).Set().WithinGrace(patience), func() {
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

// endRest marks the connections that have rested since the given time or longer as idle, which ends their wait for a
// request.
func (s *serving) endRest(since time.Time) {
	for c := range s.conns {
		if !c.since.IsZero() && !c.since.After(since) {
			c.SetIdle(true)
		}
	}
}

// follow returns a ConnState hook that notes when connections are active or idle, and then calls the program's hook.
func follow(hook func(net.Conn, fasthttp.ConnState)) func(net.Conn, fasthttp.ConnState) {
	return func(nc net.Conn, state fasthttp.ConnState) {
		switch c := nc.(served).base(); state {
		case fasthttp.StateActive:
			c.busy()
		case fasthttp.StateIdle:
			c.rests()
		}
		if hook != nil {
			hook(nc, state)
		}
	}
}
