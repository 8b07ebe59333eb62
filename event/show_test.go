package event_test

import (
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
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

// A list of many connections has those that stay, once, whichever others end while it is made.
func TestHandlesOfMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver != socktest.World {
			testmain.NeedDescriptors(t, 500)
		}
		onLoop(t, cfg, func(l *event.Loop) {
			var server, client []*event.Conn
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{open: func(c *event.Conn) { server = append(server, c) }})
			if err != nil {
				t.Fatal(err)
			}
			connect := func(n int) {
				server, client = nil, nil
				for range n {
					l.Dial("tcp", ln.Addr().String(), &funcs{open: func(c *event.Conn) { client = append(client, c) }})
				}
				socktest.EventuallyOn(t, l.Ringo(), "all are connected", func() bool {
					return len(client) == n && len(server) == n
				})
			}
			connect(10) // the oldest, which come last
			stay := map[string]int{}
			for _, c := range client {
				stay[c.LocalAddr().String()] = 0
			}
			for when := range 5 {
				connect(150)
				turns := 0
				ending := l.Check(func() {
					if turns++; turns == when+1 {
						for _, c := range client {
							c.Abort()
						}
						for _, c := range server {
							c.Abort()
						}
					}
				})
				for _, i := range l.Ringo().Handles() {
					if _, ok := stay[i.Local]; ok && i.Kind == "conn" {
						stay[i.Local]++
					}
				}
				ending.Stop()
				for addr, times := range stay {
					if times != 1 {
						t.Fatalf("ended in turn %d: %s is listed %d times", when, addr, times)
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
