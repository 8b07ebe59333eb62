//go:build linux

package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// soon is a limit that passes while a task waits for what does not come.
const soon = 2 * time.Millisecond

// Each wait on a connection ends with the time of the block around it, and the
// connection is as good as before: the next one gets what comes.
func TestTimeoutOfReaders(t *testing.T) {
	waits := map[string]func(c *sock.Conn) error{
		"Read":    func(c *sock.Conn) error { return read(c) },
		"Next":    func(c *sock.Conn) error { _, err := c.Next(); return err },
		"Peek":    func(c *sock.Conn) error { _, err := c.Peek(5); return err },
		"Discard": func(c *sock.Conn) error { _, err := c.Discard(5); return err },
		"WriteTo": func(c *sock.Conn) error { _, err := c.WriteTo(io.Discard); return err },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			for name, wait := range waits {
				for range 3 {
					wantTimeout(t, name, l.WithTimeout(soon, func() error {
						wantTimeout(t, name+" inside", wait(c))
						return wait(c)
					}))
				}
				send(t, peer, "for the next")
				wantAll(t, c, "for the next")
			}
		})
	})
}

// Who waits for its turn behind another reader or writer leaves the queue.
func TestTimeoutInTheQueue(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			var n int
			first := l.Go(func() { n, _ = c.Read(make([]byte, 10)) })
			others(l)
			wantTimeout(t, "a queued Read", l.WithTimeout(soon, func() error { return read(c) }))
			send(t, peer, "12345")
			first.Wait()
			if n != 5 {
				t.Errorf("the reader that had the turn got %d bytes, want 5", n)
			}
		})
	})
}

// A write that ran out of time says how much went out.
func TestTimeoutOfWriter(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			msg := make([]byte, 16<<20)
			var n int
			wantTimeout(t, "Write", l.WithTimeout(soon, func() (err error) { n, err = c.Write(msg); return err }))
			if n == 0 || n >= len(msg) {
				t.Fatalf("Write() = %d, want some of it", n)
			}
			c.CloseWrite()
			var got int64
			offloaded(t, l, func() (err error) { got, err = io.Copy(io.Discard, peer); return err })
			if got != int64(n) {
				t.Errorf("%d bytes arrived, want the %d that Write told of", got, n)
			}
		})
	})
}

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
