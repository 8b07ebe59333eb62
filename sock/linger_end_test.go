package sock_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A Close that waits for the peer, since the connection lingers, returns when the peer has read, although the
// connection's loop has ended meanwhile: those who wait in it are told by whoever closes the descriptor.
func TestCloseThatLingersOutlivesItsLoop(t *testing.T) {
	type lingering struct {
		c    *sock.Conn
		peer *net.TCPConn
	}
	closers := map[string]func(cfg ringo.Config, f func()){
		"goroutine": func(_ ringo.Config, f func()) { f() },
		"task of another loop": func(cfg ringo.Config, f func()) {
			if err := ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { f(); return nil }); err != nil {
				t.Error(err)
			}
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for who, as := range closers {
			t.Run(who, func(t *testing.T) {
				made, over, ended := make(chan lingering), make(chan struct{}), make(chan error, 1)
				go func() {
					ended <- ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						c, peer := connect(t, l)
						fill(t, l, c)
						if err := c.SetLinger(int(patience / time.Second)); err != nil {
							t.Error(err)
						}
						made <- lingering{c, peer}
						return l.Offload(func(context.Context) error { <-over; return nil })
					})
				}()
				it := <-made
				defer it.peer.Close()
				closed := make(chan error, 2)
				go func() {
					as(cfg, func() { closed <- it.c.Close() })
					closed <- nil // and the closer has ended
				}()
				awaitStack(t, "handle.(*Core).closeLingering.func1(")
				close(over)
				within(patience, t.Name()+": the end of the loop", func() {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
				select {
				case err := <-closed:
					t.Errorf("Close did not wait for the peer: %v", err)
				default:
				}
				go io.Copy(io.Discard, it.peer)
				within(patience, t.Name()+": the close", func() {
					for range 2 {
						if err := <-closed; err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	})
}
