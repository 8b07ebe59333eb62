//go:build linux

package sock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// soon is a limit that passes while a task waits for what does not come.
const soon = 2 * time.Millisecond

// Accept, Dial and Close.
func TestTimeoutOfTheRest(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		addr, full := fullListener(t)
		defer full()
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			wantTimeout(t, "Accept", l.WithTimeout(soon, func() error { _, err := ln.Accept(); return err }))
			c, peer := accept(t, ln)
			defer peer.Close()

			for _, d := range []time.Duration{soon, 0} {
				err := l.WithTimeout(d, func() error { _, err := sock.Dial(l, "tcp", addr); return err })
				wantTimeout(t, "Dial", err)
				if errors.Is(err, context.Canceled) {
					t.Errorf("Dial: %v, which is context.Canceled", err)
				}
			}
			if err := l.WithTimeout(0, c.Close); err != nil {
				t.Errorf("Close in a block that is out of time: %v", err)
			}
			wantPeerEOF(t, l, peer)
		})
	})
}

// Serve whose time is over closes what is open, and says so.
func TestTimeoutOfServe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			closed := 0
			h := &sock.Handler{
				Request: func(c *sock.Conn) error { _, err := c.Discard(c.Buffered()); return err },
				Closed:  func(*sock.Conn, error) { closed++ },
			}
			for closed == 0 {
				wantTimeout(t, "Serve", l.WithTimeout(soon, func() error { return sock.Serve(l, ln, h) }))
			}
			wantPeerEOF(t, l, peer)
		})
	})
}
