package ringofasthttp

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/internal/loop"
)

// serving is one call of Serve, and what its drain does with connections that have answered all that was asked:
//
//	drain begins ──▶ those that have rested for long end ──▶ patience passes ──▶ the others end, and
//	                                                                              each that comes to rest
//
// One that was asked a moment ago may have the next request on its way, which would fail if the connection ended now;
// it is answered, and the answer says that it is the last. Those that have asked nothing are idle from the first, and
// have the time that package sock gives them.
type serving struct {
	*server
	l     *ringo.Loop
	late  bool // patience has passed
	conns map[*conn]struct{}
	open  ringo.WaitGroup // connections, also of hijack handlers
}

// patience is for how long a connection may be about to ask again, if Grace is long enough.
var patience = time.Second // but in tests

// drains ends connections that rest, when Serve's loop drains. stop is for Serve's end.
func (s *serving) drains() (stop func()) {
	var timer *ringo.Timer
	unwatch := s.l.OnDrain(func() {
		s.drain()
		s.endRest(s.l.Now().Add(-patience))
		timer = s.l.AfterFunc((*loop.Loop)(s.l).WithinGrace(patience), func() {
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
	for c := range s.conns {
		if !c.since.IsZero() && !c.since.After(since) {
			c.SetIdle(true)
		}
	}
}

// follow follows connections as a Server's states go, and tells the program's hook.
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
