package event_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// Connections of callbacks have their listener's places, until they are closed, and none by their peers.
func TestLimits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 1
		opened, listen, over := make(chan bool, 5), make(chan *sock.Listener, 1), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			over <- event.Run(ctx, &cfg, func(e *event.Loop) error {
				lc := sock.ListenConfig{Limits: sock.Limits{ConnsPerPeer: 1}}
				none, err := lc.Listen(e.Ringo(), "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				e.Accept(none, &funcs{}).OnClose(func(err error) {
					if !errors.Is(err, errors.ErrUnsupported) {
						t.Errorf("Accept with ConnsPerPeer ends with %v", err)
					}
				})
				lc.Limits = sock.Limits{Conns: 1}
				ln, err := lc.Listen(e.Ringo(), "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				e.Accept(ln, &funcs{open: func(c *event.Conn) { opened <- true; c.Write([]byte("x")) }})
				listen <- ln
				return nil
			})
		}()
		patience.Within(t.Name(), func() {
			ln := <-listen
			var all []net.Conn
			for range 3 {
				c, err := net.DialTimeout("tcp", ln.Addr().String(), patience.Max)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
			}
			for i, c := range all {
				<-opened
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
				if n := ln.Stats(); n.Open != 1 {
					t.Errorf("%d are open, want 1", n.Open)
				}
				c.Close()
			}
			stop()
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
	})
}
