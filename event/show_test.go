package event_test

import (
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/socktest"
)

// Connections of callbacks are in the list of what is open on a loop, with their addresses and what is unread and
// unsent.
func TestHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		shown := make(chan bool)
		h := &funcs{data: func(c *event.Conn, p []byte) int {
			if len(p) < 5 {
				return 0
			}
			c.Pause()
			c.SetMarks(1, 100<<20)
			if err := c.WriteThen(make([]byte, 16<<20), func(error) {}); err != nil {
				t.Error(err)
			}
			l := c.Loop()
			l.Ringo().Go(func() {
				defer close(shown)
				defer c.Abort()
				all := l.Ringo().Handles()
				n := slices.IndexFunc(all, func(i ringo.HandleInfo) bool { return i.Kind == "conn" })
				if n < 0 {
					t.Errorf("not in %+v", all)
					return
				}
				i := all[n]
				if i.Network != "tcp" || i.State != "open" || i.FD <= 0 || i.Local != c.LocalAddr().String() ||
					i.Remote != c.RemoteAddr().String() || i.Unread != 2 || i.Unsent < c.Unsent() || i.Unsent == 0 ||
					i.Writing != "armed" {
					t.Errorf("listed as %+v of %v to %v, %d unsent", i, c.LocalAddr(), c.RemoteAddr(), c.Unsent())
				}
			})
			return 3
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			_, err := peer.Write([]byte("hello"))
			<-shown
			return err
		})
	})
}

// A list of many connections, of which others come and go meanwhile, has each that stays, once.
func TestHandlesOfMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const conns = 200
		onLoop(t, cfg, func(l *event.Loop) {
			var server, client []*event.Conn
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{open: func(c *event.Conn) { server = append(server, c) }})
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			h := &funcs{open: func(c *event.Conn) { client = append(client, c) }}
			for range conns {
				l.Dial("tcp", addr, h)
			}
			socktest.EventuallyOn(t, l.Ringo(), "all are connected", func() bool {
				return len(client) == conns && len(server) == conns
			})
			stay := map[string]int{}
			for i, c := range client {
				if i%3 > 0 {
					stay[c.LocalAddr().String()] = 0
				}
			}
			for _, left := range [][]*event.Conn{client, nil} {
				n := 0
				l.Idle(func() { // a few in each turn
					for range 10 {
						if n < len(left) && n%3 == 0 {
							left[n].Abort()
							l.Dial("tcp", addr, event.Base{})
						}
						n++
					}
				}).Unref()
				for _, i := range l.Ringo().Handles() {
					if i.Kind != "conn" {
						continue
					}
					if _, ok := stay[i.Local]; ok {
						stay[i.Local]++
					}
				}
				for addr, times := range stay {
					if times != 1 {
						t.Fatalf("%s is listed %d times", addr, times)
					}
					stay[addr] = 0
				}
			}
			l.Stop()
		})
	})
}

// Where a loop ends in the midst of a list, the list is given up.
func TestHandlesAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		listed := make(chan bool)
		onLoop(t, cfg, func(l *event.Loop) {
			addr := listenOnce(t, l, event.Base{})
			l.Dial("tcp", addr, &funcs{open: func(c *event.Conn) {
				go func() {
					defer close(listed)
					for c.Loop().Post(func() {}) == nil {
						l.Ringo().Handles()
					}
				}()
				c.Close()
			}})
		})
		<-listed
	})
}
