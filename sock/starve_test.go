package sock_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/sock"
)

// greedyConns are things to do to a connection that never have to wait, or rarely.
// The peer sends and takes as fast as the loop lets it.
var greedyConns = []struct {
	name string
	call func(c *sock.Conn, p []byte) error
}{
	{"reads of one byte", func(c *sock.Conn, p []byte) error { _, err := c.Read(p[:1]); return err }},
	{"reads", func(c *sock.Conn, p []byte) error { _, err := c.Read(p); return err }},
	{"leases", func(c *sock.Conn, p []byte) error { b, err := c.Next(); b.Release(); return err }},
	{"discards", func(c *sock.Conn, p []byte) error { _, err := c.Discard(100); return err }},
	{"writes of one byte", func(c *sock.Conn, p []byte) error { _, err := c.Write(p[:1]); return err }},
	{"writes", func(c *sock.Conn, p []byte) error { _, err := c.Write(p); return err }},
	{"reads of what is closed", func(c *sock.Conn, p []byte) error { c.Close(); c.Read(p); return nil }},
	{"writes to what is closed", func(c *sock.Conn, p []byte) error { c.Close(); c.Write(p); return nil }},
	{"reads behind the end", func(c *sock.Conn, p []byte) error {
		c.CloseRead()
		if _, err := c.Read(p); err != nil && err != io.EOF {
			return err
		}
		return nil
	}},
}

// crowd is how many connections are greedy at a time.
const crowd = 8

// fewTurns is how many turns a task may wait while so many connections are greedy,
// each with two tasks. A turn resumes Budget tasks, or an eighth of that if each
// makes all the calls that it may.
func fewTurns(budget int) uint64 { return uint64(2*crowd*8/budget + 3) }

// turns is the number of the loop's present turn.
func turns(l *ringo.Loop) uint64 { return l.Stats().Turns }

// beat lets a task start and end, over and over until enough has been done, and
// wants each to take few turns.
func beat(t *testing.T, l *ringo.Loop, did *atomic.Int64, enough int64, most uint64) {
	for did.Load() < enough {
		before := turns(l)
		l.Go(func() {}).Wait()
		if n := turns(l) - before; n > 2*most {
			t.Errorf("a task's start and its join took %d turns, want %d at most", n, 2*most)
			return
		}
	}
}

// However greedy connections are, tasks are resumed and other connections are
// served.
func TestGreedyConnections(t *testing.T) {
	for _, g := range greedyConns {
		t.Run(g.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Budget = 32
				onLoop(t, cfg, func(l *ringo.Loop) {
					var did atomic.Int64
					stop := false
					group := ringo.NewGroup(l)
					for range crowd {
						c, peer := inLoop(t, l)
						group.Go(func() error {
							p := make([]byte, 4096)
							for ; !stop; did.Add(1) {
								if err := g.call(c, p); err != nil {
									return err
								}
							}
							return nil
						})
						pump(l, peer)
					}
					c, peer := inLoop(t, l)
					echo := l.Go(func() { io.Copy(peer, peer); peer.Close() })
					p := make([]byte, 16)
					for range 10 {
						if _, err := c.Write(p); err != nil {
							t.Fatal(err)
						}
						if _, err := io.ReadFull(c, p); err != nil {
							t.Fatal(err)
						}
					}
					beat(t, l, &did, did.Load()+500, fewTurns(cfg.Budget))
					c.Close()
					echo.Wait()
					stop = true
					closeAll(l)
					group.Wait() // with the errors of connections that were closed
				})
			})
		})
	}
}

// pump sends to a connection, and takes from it, as fast as that goes.
func pump(l *ringo.Loop, peer *sock.Conn) {
	l.Go(func() {
		defer peer.Close()
		for p := make([]byte, 32<<10); ; {
			if _, err := peer.Write(p); err != nil {
				return
			}
		}
	})
	l.Go(func() {
		for p := make([]byte, 32<<10); ; {
			if _, err := peer.Read(p); err != nil {
				return
			}
		}
	})
}

var opened []*sock.Conn // by inLoop, of the test that runs

// inLoop makes a connection of which both ends are on the loop.
func inLoop(t *testing.T, l *ringo.Loop) (c, peer *sock.Conn) {
	t.Helper()
	ln := listen(t, l)
	defer ln.Close()
	dialed := l.Go(func() {
		var err error
		if c, err = sock.Dial(l, "tcp", ln.Addr().String()); err != nil {
			t.Error(err)
		}
	})
	peer, err := ln.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	if dialed.Wait(); c == nil {
		t.FailNow()
	}
	opened = append(opened, c, peer)
	return c, peer
}

func closeAll(l *ringo.Loop) {
	for _, c := range opened {
		c.Close()
	}
	opened = nil
}

// A listener whose backlog is never empty, and one that is closed and asked all the
// same.
func TestGreedyAccepts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Budget = 32
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			var did atomic.Int64
			stop := false
			addr := ln.Addr().String()
			for range crowd {
				l.Go(func() {
					for !stop {
						c, err := sock.Dial(l, "tcp", addr)
						if err != nil {
							continue // the listener is closed: refused
						}
						c.SetLinger(0)
						c.Close()
					}
				})
			}
			accepts := l.Go(func() {
				for !stop {
					c, err := ln.AcceptConn()
					if did.Add(1); err == nil {
						c.Close()
					}
				}
			})
			beat(t, l, &did, 500, fewTurns(cfg.Budget))
			ln.Close()
			beat(t, l, &did, did.Load()+10_000, fewTurns(cfg.Budget))
			stop = true
			accepts.Wait()
		})
	})
}

// A write of much, to a peer that takes it as fast as it comes, goes out in pieces,
// between which others have their turn.
func TestLongWriteIsFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			const size, piece = 64 << 20, 1 << 20
			got := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(io.Discard, peer)
				got <- n
			}()
			before := turns(l)
			if n, err := c.Write(make([]byte, size)); n != size || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			if n := turns(l) - before; n < size/piece-1 {
				t.Errorf("a write of %d pieces took %d turns", size/piece, n)
			}
			c.CloseWrite()
			if n := <-got; n != size { // all of it is in the kernel's hands
				t.Errorf("the peer got %d", n)
			}
		})
	})
}
