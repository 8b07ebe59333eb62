package sockhttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
)

// Shutdown ends the server in order: listeners and idle connections are closed at once, the others after their answer,
// for which it waits. A connection that has had no request yet is idle once it is five seconds old. The error is that
// of ctx, if it ends before; connections that a handler has taken over don't count. A program that drains, because its
// Run's context has ended, does the same by itself. Any goroutine may call it; a task must not.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	for _, fn := range s.onShutdown {
		go fn()
	}
	s.mu.Unlock()
	s.each2((*server2).shutdown) // the peers of all connections learn of it at once
	pause := time.NewTimer(0)
	defer pause.Stop()
	for d := time.Millisecond; ; d = min(2*d, 500*time.Millisecond) {
		if s.closeIdle() {
			return nil
		}
		pause.Reset(d)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// Close closes listeners and connections at once. Any goroutine may call it; a task must not.
func (s *Server) Close() error {
	s.closed.Store(true)
	err := s.stop()
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	closeAll(conns)
	s.eachOnLoops(func(c *conn) { handle.Sockets.CloseSoon(c.own) })
	return err
}

// closeAll closes connections. Closing one of a loop waits for the loop, on which a task may be waiting for mu: so
// nothing is closed with mu held.
func closeAll(conns []*conn) {
	for _, c := range conns {
		c.net().Close()
	}
}

// stop stops accepting.
func (s *Server) stop() error {
	s.ending.Store(true)
	s.mu.Lock()
	listeners := slices.Collect(maps.Keys(s.listeners))
	if s.stops != nil {
		s.stops()
	}
	s.mu.Unlock()
	var errs []error
	for _, ln := range listeners {
		errs = append(errs, ln.Close())
	}
	return errors.Join(errs...)
}

// newMax is how old a connection without a request may be before it counts as idle.
const newMax = 5 * time.Second

// idle reports whether the connection waits for its next request, or has waited too long for its first.
func (c *conn) idle() bool {
	state := http.ConnState(c.state.Load())
	return state == http.StateIdle || state == http.StateNew && c.isOld()
}

func (c *conn) isOld() bool { return c.clock().Sub(c.origin.born)-c.born > newMax }

// closeIdle closes idle connections, those on loops soon after, and reports whether no connection and no listener is
// left.
func (s *Server) closeIdle() bool {
	var idle []*conn
	s.mu.Lock()
	for c := range s.conns {
		if c.two == nil && c.idle() { // or it was told to go, and does when it has answered
			idle = append(idle, c)
			delete(s.conns, c)
		}
	}
	none := len(s.conns) == 0 && len(s.listeners) == 0
	s.mu.Unlock()
	closeAll(idle)
	s.eachOnLoops(func(c *conn) {
		if c.idle() {
			handle.Sockets.EndRest(c.own)
		}
	})
	return none
}

// eachOnLoops calls f for each connection of sock.Serve, on the thread of its loop: f must not wait.
func (s *Server) eachOnLoops(f func(*conn)) {
	s.mu.Lock()
	listeners := maps.Clone(s.listeners)
	s.mu.Unlock()
	for _, l := range listeners {
		if l == nil {
			continue
		}
		handle.Sockets.Served((*loop.Loop)(l), func(sc any) {
			if c, ok := sc.(*sock.Conn).Value().(*conn); ok && c.s == s {
				f(c)
			}
		})
	}
}

// SetKeepAlivesEnabled sets whether connections stay open for another request, as they do by default. If on is false,
// those that wait for one are closed. Any goroutine may call it.
func (s *Server) SetKeepAlivesEnabled(on bool) {
	s.single.Store(!on)
	if !on {
		s.each2((*server2).shutdown)
		s.closeIdle()
	}
}

// RegisterOnShutdown makes Shutdown call fn, on a goroutine.
func (s *Server) RegisterOnShutdown(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onShutdown = append(s.onShutdown, fn)
}
