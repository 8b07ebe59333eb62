package sockhttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/sock"
)

// serveOnLoop serves the connections of a loop's own listener: each has a task while there is a request.
func (s *Server) serveOnLoop(ln *sock.Listener) error {
	o := newOrigin(s, s.base(ln), ln.Loop())
	o.begin()
	defer o.end()
	h := &sock.Handler{
		Open:    o.open,
		Request: func(sc *sock.Conn) error { return sc.Value().(*conn).answer() },
		Closed: func(sc *sock.Conn, _ error) {
			if c, ok := sc.Value().(*conn); ok {
				c.closed()
			}
		},
		Unread: s.headMax() + 1,
	}
	if s.More != nil {
		h.More = o.more
	}
	if s.lingers() {
		h.Drain = o.drain
	}
	if !s.track(ln, ln.Loop()) {
		return http.ErrServerClosed
	}
	defer s.untrack(ln)
	if err := sock.Serve(ln.Loop(), ln, h); err != nil && !s.ending.Load() {
		return err
	}
	o.wait() // for connections of HTTP/2, which sock.Serve no longer counts
	return http.ErrServerClosed
}

// open begins to serve a connection of a loop's own listener.
func (o *origin) open(sc *sock.Conn) error {
	c := o.newConn(sc, sc) // its bytes are looked at in place
	c.own = sc
	sc.SetValue(c)
	if o.s.headerTimeout() > 0 {
		c.limitHead()
	}
	if o.s.closed.Load() { // before it was noted
		return http.ErrServerClosed
	}
	return nil
}

// more calls the program's More, until the server ends.
func (o *origin) more(l *ringo.Loop) (c *sock.Conn, err error) {
	err = l.WithContext(o.s.stopping(), func() (err error) {
		c, err = o.s.More(l)
		return err
	})
	if err == nil && o.s.ending.Load() {
		c.Close()
		err = http.ErrServerClosed
	}
	return c, err
}

// stopping returns the context that ends with the server.
func (s *Server) stopping() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped == nil {
		s.stopped, s.stops = context.WithCancel(context.Background())
		if s.ending.Load() {
			s.stops()
		}
	}
	return s.stopped
}

// drain is called for a connection between two requests when the program drains.
func (o *origin) drain(sc *sock.Conn) error {
	if o.s.Drain != nil {
		if err := o.s.Drain(sc); err != nil {
			o.s.log().Debug("http: a connection was not taken when the program drains", "error", err)
		}
	}
	if o.s.Linger <= 0 {
		return net.ErrClosed
	}
	c := sc.Value().(*conn)
	c.linger()
	return nil
}

// linger leaves a resting connection time for one more request.
func (c *conn) linger() {
	c.limited = true // the next request lifts it, but a part of a head does not
	c.limitReads((*loop.Loop)(c.loop).Set().WithinGrace(c.s.Linger))
}

// serveTasks serves each connection of a loop's own listener in a task, through the connection that wrap returns.
func (s *Server) serveTasks(ln *sock.Listener, wrap func(*sock.Conn) net.Conn) error {
	o := newOrigin(s, s.base(ln), ln.Loop())
	o.begin()
	defer o.end()
	if !s.track(ln, nil) {
		return http.ErrServerClosed
	}
	defer s.untrack(ln)
	for {
		sc, err := ln.AcceptConn()
		switch {
		case errors.Is(err, net.ErrClosed):
			o.wait()
			return http.ErrServerClosed
		case err != nil:
			return err
		}
		o.tasks.Add(1)
		o.loop.Go(func() {
			var c *conn
			defer func() {
				if c == nil || !c.left {
					o.tasks.Done()
				}
			}()
			nc := wrap(sc)
			c = o.newConn(nc, &buffered{Conn: nc})
			s.serveConn(c)
		})
	}
}

// serveEach accepts, and serves each connection on a goroutine, through the connection that wrap returns.
func (s *Server) serveEach(ln net.Listener, wrap func(net.Conn) net.Conn) error {
	once := &onceCloser{Listener: ln}
	defer once.Close()
	if !s.track(once, nil) {
		return http.ErrServerClosed
	}
	defer s.untrack(once)
	o := newOrigin(s, s.base(ln), nil)
	for pause := time.Duration(0); ; {
		nc, err := once.Accept()
		if err == nil {
			pause = 0
			nc = wrap(nc)
			c := o.newConn(nc, &buffered{Conn: nc})
			go s.serveConn(c)
			continue
		}
		if s.ending.Load() {
			return http.ErrServerClosed
		}
		if t, ok := err.(interface{ Temporary() bool }); !ok || !t.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.logf("http: Accept error: %v; retrying in %v", err, pause)
		time.Sleep(pause)
	}
}

// track notes a listener, and the loop if sock.Serve serves it. It returns false if the server has ended.
func (s *Server) track(ln net.Listener, l *ringo.Loop) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]*ringo.Loop)
	}
	s.listeners[ln] = l
	return true
}

func (s *Server) untrack(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// onceCloser closes a listener once.
type onceCloser struct {
	net.Listener
	once sync.Once
	err  error
}

func (ln *onceCloser) Close() error {
	ln.once.Do(func() { ln.err = ln.Listener.Close() })
	return ln.err
}
