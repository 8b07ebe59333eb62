//go:build linux

package socktls_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/socktls"
)

// A peer reads an hour later than all was written, and its end said: however much of that the socket has had no room
// for, all comes, and the end, by CloseWrite of both sides and by what Close leaves.
func TestCloseWriteBehindUnsent(t *testing.T) {
	behindUnsent(t, time.Hour, func(w *sim.World, n int, c *socktls.Conn) {
		if err := c.CloseWrite(); err != nil {
			w.Errorf("CloseWrite behind %d bytes: %v", n, err)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			w.Errorf("a Write behind CloseWrite has no error")
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			w.Errorf("the peer's end: %v", err)
		}
		c.Close()
	})
}

// behindUnsent has servers write more and more to clients that read so much later, and then end.
func behindUnsent(t *testing.T, late time.Duration, end func(w *sim.World, n int, c *socktls.Conn)) {
	const piece, pieces = 700, 60 // around what the buffers below hold
	sim.Explore(t, 2, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		server, client := w.Host("server"), w.Host("client")
		p := server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			defer ln.Close()
			for n := range pieces {
				below, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				l.Go(func() {
					below.SetWriteBuffer(4 << 10)
					c := socktls.Server(below, only(tls.VersionTLS13, serverConfig()))
					if err := c.Handshake(); err != nil {
						w.Errorf("Handshake: %v", err)
						return
					}
					l.Sleep(time.Second)
					for range n {
						if _, err := c.Write(make([]byte, piece)); err != nil {
							w.Errorf("Write: %v", err)
						}
						l.Sleep(10 * time.Millisecond)
					}
					end(w, n*piece, c)
				})
			}
			return nil
		})
		q := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			l.Sleep(time.Millisecond)
			for n := range pieces {
				below, err := sock.Dial(l, "tcp", "server:7000")
				if err != nil {
					return err
				}
				l.Go(func() {
					below.SetReadBuffer(4 << 10)
					config := only(tls.VersionTLS13, clientConfig())
					config.Time = time.Now // of the certificate
					c := socktls.Client(below, config)
					defer c.Close()
					if err := c.Handshake(); err != nil {
						w.Errorf("Handshake: %v", err)
						return
					}
					l.Sleep(late)
					got, err := io.Copy(io.Discard, c)
					if got != int64(n*piece) || err != nil {
						w.Errorf("%d bytes of %d came, %v", got, n*piece, err)
					}
				})
			}
			return nil
		})
		if err := errors.Join(w.Wait(p, q)); err != nil {
			w.Errorf("%v", err)
		}
	})
}

// The same of Close, which leaves it for a minute; close_notify itself may be missing.
func TestCloseBehindUnsent(t *testing.T) {
	behindUnsent(t, 30*time.Second, func(w *sim.World, n int, c *socktls.Conn) {
		if err := c.Close(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("Close behind %d bytes: %v", n, err)
		}
	})
}

// A peer that asks for replies behind close_notify gets none, and is read on.
func TestNoReplyBehindCloseWrite(t *testing.T) {
	eachCallers(t, func(t *testing.T, l *ringo.Loop, read, _ starter) {
		c, peer := pair(t, l, serverConfig())
		defer peer.Close()
		f := handshakes(t, l, c, peer)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var got error
		end := read(func() { got = readAll(c) })
		socktest.Offloaded(t, l, func() error {
			if _, err := f.Read(make([]byte, 1)); err != io.EOF {
				return fmt.Errorf("close_notify: %w", err)
			}
			if err := send(f, f.keyUpdate(), f.seal(typeApplication, 'x'), f.seal(typeAlert, 1, 0)); err != nil {
				return err
			}
			return nil
		})
		end()
		if got != io.EOF {
			t.Errorf("the reader: %v", got)
		}
		c.Close()
		socktest.Offloaded(t, l, func() error {
			if p, err := io.ReadAll(peer); len(p) > 0 || err != nil {
				return fmt.Errorf("behind close_notify came %x, %v", p, err)
			}
			return nil
		})
	})
}
