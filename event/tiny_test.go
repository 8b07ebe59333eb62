package event_test

import (
	"errors"
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
)

// With next to no buffers, slots of the ring and budget all is the same, only slower: nobody is forgotten.
func TestTiny(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize, cfg.Leases, cfg.Budget, cfg.Entries = 2, 64, 1, 1, 2
		const conns, rounds = 10, 20
		p := pattern(3000)
		opened, closed := 0, 0
		onLoop(t, cfg, func(l *event.Loop) {
			var ln *event.Listener
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
				open: func(*event.Conn) {
					if opened++; opened == conns {
						ln.Close()
					}
				},
				data: func(c *event.Conn, p []byte) int {
					if len(p) < 5 {
						return 0 // now and then a rest
					}
					n := len(p) - 1
					if p[n] == 'E' {
						n++
					}
					if err := c.Write(p[:n]); err != nil {
						t.Errorf("Write: %v", err)
					}
					return n
				},
				close: func(*event.Conn, error) { closed++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			message := append(slices.Clone(p), "EEEEEEEE"...)
			for range conns {
				outside(t, l, func() error {
					c, err := net.DialTimeout("tcp", addr, patience.Max)
					if err != nil {
						return err
					}
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					for range rounds {
						if _, err := c.Write(message); err != nil {
							return err
						}
						if err := wantBytes(c, message); err != nil {
							return err
						}
					}
					return errors.Join(c.(*net.TCPConn).CloseWrite(), wantEOF(c))
				})
			}
		})
		if opened != conns || closed != conns {
			t.Errorf("%d were opened and %d closed, want %d", opened, closed, conns)
		}
	})
}
