//go:build linux

package event_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/sim"
)

// In simulated worlds callbacks are as anywhere: what comes goes back, whatever the network does to it, and a crash of
// the server is an error to its peers.
func TestWorlds(t *testing.T) {
	want := pattern(100_000)
	sim.Explore(t, 30, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.01}
		server, client := w.Host("server"), w.Host("client")
		server.Run(&ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
			e := event.On(l)
			if _, err := e.Listen("tcp", fmt.Sprintf(":%d", 7000+l.Index()), &funcs{
				data: func(c *event.Conn, p []byte) int {
					if n := len(p) &^ 1; c.Write(p[:n]) == nil {
						return n
					}
					return len(p)
				},
				end: func(c *event.Conn) { c.Close() },
			}); err != nil {
				return err
			}
			return e.Wait()
		})
		got := [2]int{}
		var ends []error
		w.RunFor(time.Second)
		c := client.Run(nil, func(l *ringo.Loop) error {
			if l.Index() > 0 {
				return nil
			}
			e := event.On(l)
			for i := range got {
				e.Dial("tcp", fmt.Sprintf("server:%d", 7000+i), &funcs{
					open: func(c *event.Conn) {
						if err := errors.Join(c.Write(want), c.CloseWrite()); err != nil {
							w.Errorf("Write: %v", err)
						}
					},
					data: func(_ *event.Conn, p []byte) int {
						for j, b := range p {
							if got[i]+j >= len(want) || b != want[got[i]+j] {
								w.Errorf("byte %d is another", got[i]+j)
								break
							}
						}
						got[i] += len(p)
						return len(p)
					},
					close: func(_ *event.Conn, err error) { ends = append(ends, err) },
				})
			}
			return e.Wait()
		})
		w.Wait(c)
		if got != [2]int{len(want), len(want)} || len(ends) != 2 || ends[0] != io.EOF || ends[1] != io.EOF {
			w.Errorf("%d bytes came back; closed with %v", got, ends)
		}
	})
}

// A crash takes callbacks and what is under way with it, and the peer is told in the end.
func TestCrash(t *testing.T) {
	sim.Explore(t, 10, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			e.Every(time.Millisecond, func() {})
			_, err := e.Listen("tcp", ":7000", &funcs{open: func(c *event.Conn) { c.Write(pattern(1 << 20)) }})
			return errors.Join(err, e.Wait())
		})
		w.After(3*time.Second, func() { server.Crash(); server.Restart() })
		var end error
		closed := 0
		w.RunFor(time.Second)
		c := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			e.Dial("tcp", "server:7000", &funcs{
				open: func(c *event.Conn) {
					e.AfterFunc(4*time.Second, func() { c.Write([]byte("are you there?")) })
				},
				close: func(_ *event.Conn, err error) { end, closed = err, closed+1 },
			})
			return e.Wait()
		})
		w.Wait(c)
		if closed != 1 || end == nil || end == io.EOF {
			w.Errorf("closed %d times, with %v", closed, end)
		}
	})
}
