package sock_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// listed gives what Handles says of the connection, listener or socket with these addresses.
func listed(t *testing.T, all []ringo.HandleInfo, kind, local, remote string) ringo.HandleInfo {
	t.Helper()
	n := slices.IndexFunc(all, func(i ringo.HandleInfo) bool {
		return i.Kind == kind && i.Local == local && i.Remote == remote
	})
	if n < 0 {
		t.Errorf("no %s %s %s in %+v", kind, local, remote, all)
		return ringo.HandleInfo{}
	}
	return all[n]
}

func listedConn(t *testing.T, all []ringo.HandleInfo, c *sock.Conn) ringo.HandleInfo {
	t.Helper()
	return listed(t, all, "conn", c.LocalAddr().String(), c.RemoteAddr().String())
}

// Handles lists each kind with its addresses, who is at it and what is unread; to a task of the loop, to goroutines,
// and to tasks of other loops alike.
func TestHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			reading, peer1 := accept(t, ln)
			defer peer1.Close()
			defer reading.Close()
			unread, peer2 := accept(t, ln)
			defer peer2.Close()
			defer unread.Close()
			pc, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			p, err := sock.Poll(l, r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			reader := l.Go(func() { reading.Read(make([]byte, 1)) })
			defer reader.Wait()
			defer reading.Close()
			if _, err := peer2.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
			if _, err := unread.Peek(3); err != nil {
				t.Fatal(err)
			}
			check := func(who string, all []ringo.HandleInfo) {
				if len(all) != 5 {
					t.Errorf("%s: %d handles, want 5: %+v", who, len(all), all)
				}
				if i := listed(t, all, "listener", ln.Addr().String(), ""); i.Network != "tcp" || i.Age == 0 {
					t.Errorf("%s: %+v", who, i)
				}
				if i := listedConn(t, all, reading); i.Reading != "task" || i.State != "open" || i.FD <= 0 ||
					i.Unread != 0 || i.Writing != "" {
					t.Errorf("%s: a connection that a task reads: %+v", who, i)
				}
				if i := listedConn(t, all, unread); i.Unread != 3 || i.Reading == "task" {
					t.Errorf("%s: a connection with 3 bytes unread: %+v", who, i)
				}
				listed(t, all, "packet", pc.LocalAddr().String(), "")
				listed(t, all, "pollable", "|0", "")
			}
			eventuallyOn(t, l, "a reader", func() bool { return listedConn(t, l.Handles(), reading).Reading == "task" })
			check("a task of the loop", l.Handles())
			offloaded(t, l, func() error { check("a goroutine", l.Handles()); return nil })
			offloaded(t, l, func() error {
				return socktest.RunLoops(t, t.Context(), &cfg, func(*ringo.Loop) error {
					check("a task of another loop", l.Handles())
					return nil
				})
			})
		})
	})
}

// A connection that only goroutines use is listed, with the one that reads; and as another when a task has touched it.
func TestHandlesDetached(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			c, peer := next()
			defer peer.Close()
			var reader sync.WaitGroup
			reader.Go(func() { c.Read(make([]byte, 1)) })
			eventually(t, "a foreign reader", func() bool {
				i := listedConn(t, l.Handles(), c)
				return i.State == "detached" && i.Reading == "foreign"
			})
			if i := listedConn(t, l.Handles(), c); i.FD <= 0 || i.Network != "tcp" {
				t.Errorf("%+v", i)
			}
			l.Go(func() { c.SetWriteBuffer(1 << 16) }).Wait()
			l.Go(func() { c.Write([]byte("x")) }).Wait()
			eventually(t, "the loop's connection", func() bool {
				i := listedConn(t, l.Handles(), c)
				return i.State == "open" && i.Reading == "foreign"
			})
			c.Close()
			reader.Wait()
			for _, i := range l.Handles() {
				if i.Kind == "conn" {
					t.Errorf("after Close: %+v", i)
				}
			}
		})
	})
}

// While connections come and go, on the loop's side and on that of goroutines, lists have those that stay, once each.
func TestHandlesInMotion(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const stay, rounds = 150, 100
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			var theirs []*sock.Conn
			want := map[string]bool{}
			keep := func() {
				c, peer := next()
				t.Cleanup(func() { peer.Close() })
				theirs, want[c.RemoteAddr().String()] = append(theirs, c), true
			}
			for range stay {
				keep()
			}
			for _, c := range theirs[:stay/2] {
				l.Go(func() { c.Write([]byte("x")) }).Wait() // from now on the loop's
			}
			var churn sync.WaitGroup
			defer churn.Wait()
			churn.Go(func() {
				for n := range rounds {
					c, peer := next()
					if n%2 == 0 {
						l.Go(func() { c.Write([]byte("x")) }).Wait()
					}
					c.Close()
					peer.Close()
				}
			})
			var lists sync.WaitGroup
			for range 3 {
				lists.Go(func() {
					for range 10 {
						seen := map[string]int{}
						for _, i := range l.Handles() {
							seen[i.Remote]++
						}
						for remote := range want {
							if seen[remote] != 1 {
								t.Errorf("%s is listed %d times", remote, seen[remote])
								return
							}
						}
					}
				})
			}
			lists.Wait()
			for _, c := range theirs {
				c.Close()
			}
		})
	})
}

// Handles of a Unix socket have names.
func TestHandlesUnix(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := fmt.Sprintf("%s/s", t.TempDir())
			ln, err := sock.Listen(l, "unix", name)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			c, err := sock.Dial(l, "unix", name)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all := l.Handles()
			if i := listed(t, all, "listener", name, ""); i.Network != "unix" {
				t.Errorf("%+v", i)
			}
			listed(t, all, "conn", c.LocalAddr().String(), name)
		})
	})
}
