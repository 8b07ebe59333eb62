//go:build linux

package sock_test

import (
	"io"
	"testing"

	"ringo"
	"ringo/sock"
)

// A message as long as Config.BufferSize is received by one call, without a second one that finds nothing.
func TestFullBufferIsOneReceive(t *testing.T) {
	const messages = 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver == "uring-poll" {
			t.Skip("its polls end with each event, and before it makes the next it looks once more")
		}
		cfg.Loops, cfg.BufferSize = 1, 1024
		echo := func(c *sock.Conn) error {
			b, err := c.Next()
			if err == nil {
				_, err = c.WriteLease(b)
			}
			return err
		}
		for name, fn := range map[string]func(*ringo.Loop, *sock.Listener) error{
			"request": perRequest(&sock.Handler{Request: echo}),
			"task": perConn(func(c *sock.Conn) {
				for echo(c) == nil {
				}
			}),
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				peer := s.dial()
				message := make([]byte, cfg.BufferSize)
				for range messages {
					if _, err := peer.Write(message); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(peer, message); err != nil {
						t.Fatal(err)
					}
				}
				counted := make(chan uint64)
				l := s.loops[0]
				l.Post(func() { counted <- opStats(l, "recv").Tried })
				if got := <-counted; got > messages*3/2 { // a few come in pieces
					t.Errorf("%d calls to receive %d messages", got, messages)
				}
			})
		}
	})
}
