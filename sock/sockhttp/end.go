package sockhttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Shutdown ends the server in order: listeners and idle connections are closed at once, the others with their answer,
// which it waits for. The error is that of ctx, if it ends before; connections that a handler has taken over don't
// count. A program that drains, because its Run's context has ended, does the same by itself. Any goroutine may call
// it; a task must not.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	for _, fn := range s.onShutdown {
		go fn()
	}
	s.mu.Unlock()
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
	return err
}

// closeAll closes connections. To close one of a loop waits for the loop, on which a task may be waiting for mu: so
// nothing is closed with mu locked.
func closeAll(conns []*conn) {
	for _, c := range conns {
		c.net().Close()
	}
}

// stop ends all accepts.
func (s *Server) stop() error {
	s.ending.Store(true)
	s.mu.Lock()
	stops := maps.Clone(s.listeners)
	s.mu.Unlock()
	var errs []error
	for ln, stop := range stops {
		errs = append(errs, ln.Close())
		if stop != nil {
			stop()
		}
	}
	return errors.Join(errs...)
}

// newMax is how long a connection may have been there without a request, and count as idle.
const newMax = 5 * time.Second

// closeIdle closes connections that rest, and reports whether none is left.
func (s *Server) closeIdle() bool {
	var idle []*conn
	s.mu.Lock()
	for c := range s.conns {
		state := http.ConnState(c.state.Load())
		if state == http.StateIdle || state == http.StateNew && time.Since(c.born) > newMax {
			idle = append(idle, c)
			delete(s.conns, c)
		}
	}
	none := len(s.conns) == 0 && len(s.listeners) == 0
	s.mu.Unlock()
	closeAll(idle)
	return none
}

// SetKeepAlivesEnabled says whether connections wait for another request, as they do by default. Any goroutine may call
// it.
func (s *Server) SetKeepAlivesEnabled(on bool) {
	s.single.Store(!on)
	if !on {
		s.closeIdle()
	}
}

// RegisterOnShutdown has Shutdown call fn, on a goroutine.
func (s *Server) RegisterOnShutdown(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onShutdown = append(s.onShutdown, fn)
}
