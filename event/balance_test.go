package event_test

import (
	"context"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// Connections of callbacks are dealt out to the loops as those of tasks are, and count until they are closed.
func TestBalance(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set, err := (&sock.ListenConfig{Balance: true}).Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listen, closed, over := make(chan bool, 2), make(chan bool, 20), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			over <- event.Run(ctx, &cfg, func(e *event.Loop) error {
				ln, err := set.Listen(e.Ringo())
				if err != nil {
					return err
				}
				e.Accept(ln, &funcs{
					open:  func(c *event.Conn) { c.Write([]byte{byte(e.Ringo().Index())}) },
					close: func(*event.Conn, error) { closed <- true },
				})
				listen <- true
				return nil
			})
		}()
		var of [2][]net.Conn
		come := func(n int) {
			for range n {
				c, err := net.DialTimeout("tcp", set.Addr().String(), patience.Max)
				if err != nil {
					t.Fatal(err)
				}
				loop := make([]byte, 1)
				if _, err := io.ReadFull(c, loop); err != nil {
					t.Fatal(err)
				}
				of[loop[0]] = append(of[loop[0]], c)
			}
		}
		leave := func(i int) {
			for _, c := range of[i] {
				c.Close()
				<-closed
			}
			of[i] = nil
		}
		patience.Within(t.Name(), func() {
			<-listen
			<-listen
			come(20)
			for i := range of {
				if len(of[0]) != 10 || len(of[1]) != 10 {
					t.Errorf("the loops have %d and %d connections", len(of[0]), len(of[1]))
				}
				leave(i)
				come(10)
			}
			leave(0)
			leave(1)
			stop()
			if err := <-over; err != nil {
				t.Error(err)
			}
			set.Close()
		})
	})
}
