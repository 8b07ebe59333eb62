package sockhttp

import (
	"context"
	"errors"
	"net/http"
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
	defer s.mu.Unlock()
	for c := range s.conns {
		c.net().Close()
	}
	return err
}

// stop ends all accepts.
func (s *Server) stop() error {
	s.ending.Store(true)
	s.mu.Lock()
	stops := make([]func(), 0, len(s.listeners))
	var errs []error
	for ln, stop := range s.listeners {
		errs = append(errs, ln.Close())
		if stop != nil {
			stops = append(stops, stop)
		}
	}
	s.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	return errors.Join(errs...)
}

// newMax is how long a connection may have been there without a request, and count as idle.
const newMax = 5 * time.Second

// closeIdle closes connections that rest, and reports whether none is left.
func (s *Server) closeIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		state := http.ConnState(c.state.Load())
		if state == http.StateIdle || state == http.StateNew && time.Since(c.born) > newMax {
			c.net().Close()
			delete(s.conns, c)
		}
	}
	return len(s.conns) == 0 && len(s.listeners) == 0
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
