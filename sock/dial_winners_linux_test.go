//go:build linux

package sock_test

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Of two attempts that connect in the same turn one is the dial's connection, and the
// other closes its socket.
func TestDialRaceTwoWinners(t *testing.T) {
	serving := []string{"127.0.0.2", "127.0.0.3"}
	at := newScene(t, serving, nil)
	server := newNameServer(t, map[string][]netip.Addr{"two.test": addrsOf(serving...)})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			before := tcpSockets(t)
			begun := 0
			d := sock.Dialer{Resolver: server.resolver(), FallbackDelay: time.Millisecond,
				Control: func(string, string, syscall.RawConn) error {
					begun++
					for l.Sleep(0); begun < len(serving); {
						if err := l.Sleep(0); err != nil {
							return err
						}
					}
					return nil
				}}
			c, err := d.Dial(l, "tcp4", "two.test.:"+at.port)
			if err != nil {
				t.Fatal(err)
			}
			if n := tcpSockets(t) - before; n != 1 {
				t.Errorf("%d sockets behind the dial, want 1", n)
			}
			c.Close()
			if n := tcpSockets(t) - before; n != 0 {
				t.Errorf("%d sockets are left", n)
			}
		})
	})
}
