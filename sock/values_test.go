package sock_test

import (
	"context"
	"testing"

	"ringo"
	"ringo/sock"
)

// Handlers have the values of the block in which Serve was called, request after request.
func TestHandlersInheritValues(t *testing.T) {
	type key struct{}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		look := func(what string, c *sock.Conn) {
			if got := c.Loop().Context().Value(key{}); got != "mine" {
				t.Errorf("%s has the value %v, want that of who called Serve", what, got)
			}
		}
		server := perRequest(&sock.Handler{
			Open:    func(c *sock.Conn) error { look("Open", c); return nil },
			Request: func(c *sock.Conn) error { look("Request", c); return frames(c) },
			Closed:  func(c *sock.Conn, _ error) { look("Closed", c) },
		})
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			ctx := context.WithValue(context.Background(), key{}, "mine")
			return l.WithContext(ctx, func() error { return server(l, ln) })
		})
		peer, msg := s.dial(), framed(100)
		wantEcho(t, peer, msg)
		wantEcho(t, peer, msg)
		peer.Close()
		s.stop()
	})
}
