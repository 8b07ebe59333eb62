package sock_test

import (
	"context"
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// A task whose peer is always ahead of it leaves turns to others, and learns that
// it was cancelled.
func TestBusyPeerIsFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range map[string]func(c *sock.Conn, p []byte) error{
			"read":    func(c *sock.Conn, p []byte) error { _, err := c.Read(p); return err },
			"discard": func(c *sock.Conn, p []byte) error { _, err := c.Discard(len(p)); return err },
			"write":   func(c *sock.Conn, p []byte) error { _, err := c.Write(p); return err },
		} {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
				const calls = 40_000
				send(t, peer, string(make([]byte, calls)))
				others := 0
				l.Go(func() { l.Sleep(0); others++ })
				p := make([]byte, 1)
				for range calls {
					if err := call(c, p); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
				if others == 0 && name != "discard" { // which finds most of them in a buffer
					t.Errorf("%s: %d calls, and nobody else had a turn", name, calls)
				}
				go func() { // a peer that is fast until the end
					for b := make([]byte, 1<<16); ; {
						if _, err := peer.Write(b); err != nil {
							return
						}
					}
				}()
				go func() {
					for b := make([]byte, 1<<16); ; {
						if _, err := peer.Read(b); err != nil {
							return
						}
					}
				}()
				var err error
				busy := l.Go(func() {
					for err == nil {
						err = call(c, p)
					}
				})
				l.Offload(func(context.Context) error { busy.Cancel(); return nil })
				busy.Wait()
				wantCanceled(t, name, err)
			})
		}
	})
}
