package sock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// A task whose peer is always ahead of it leaves turns to others, and learns that
// it was cancelled.
func TestBusyPeerIsFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range map[string]func(c *sock.Conn, p []byte) error{
			"read":    func(c *sock.Conn, p []byte) error { _, err := c.Read(p); return err },
			"discard": func(c *sock.Conn, p []byte) error { _, err := c.Discard(len(p)); return err },
			"write":   func(c *sock.Conn, p []byte) error { _, err := c.Write(p); return err },
		} {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				const calls = 40_000
				send(t, peer, string(make([]byte, calls)))
				others := 0
				l.Go(func() { l.Sleep(0); others++ })
				p := make([]byte, 1)
				for range calls {
					if err := call(c, p); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
				if others == 0 && name != "discard" { // which finds most of them in a buffer
					t.Errorf("%s: %d calls, and nobody else had a turn", name, calls)
				}
				go func() { // a peer that is fast until the end
					for b := make([]byte, 1<<16); ; {
						if _, err := peer.Write(b); err != nil {
							return
						}
					}
				}()
				go func() {
					for b := make([]byte, 1<<16); ; {
						if _, err := peer.Read(b); err != nil {
							return
						}
					}
				}()
				var err error
				busy := l.Go(func() {
					for err == nil {
						err = call(c, p)
					}
				})
				l.Offload(func(context.Context) error { busy.Cancel(); return nil })
				busy.Wait()
				wantCanceled(t, name, err)
			})
		}
	})
}

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
// makes all the calls that it may; or a single one, if that takes so long that what
// it has written is to be sent first.
func fewTurns(budget int) uint64 { return uint64(2*crowd*max(1, 8/budget) + 3) }

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
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
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

// A peer that sends much at once is not thrown out for what its handler was not
// shown, and a handler may look at all that is there.
func TestServeBursts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
			n := c.Buffered()
			p, err := c.Peek(n)
			if err != nil {
				t.Errorf("Peek(Buffered() = %d): %v", n, err)
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
			_, err = c.Discard(n)
			return err
		}}))
		peer := s.dial()
		msg := make([]byte, 8<<20)
		pattern(msg, 0)
		wantEcho(t, peer, msg)
		peer.CloseWrite()
	})
}

// What comes while Request runs is not what it left.
func TestServeBurstMeanwhile(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		asked := make(chan struct{}, 1)
		s := serve(t, cfg, perRequest(&sock.Handler{Unread: 3, Request: func(c *sock.Conn) error {
			n, _ := c.Discard(c.Buffered())
			if n == 1 {
				asked <- struct{}{}
				c.SetReadDeadline(c.Loop().Now().Add(patience.Max))
				if _, err := c.Peek(1); err != nil { // one byte is looked at, four are here
					return err
				}
				for c.Buffered() < 4 {
					if err := c.Loop().Sleep(time.Millisecond); err != nil {
						return err
					}
				}
				return nil
			}
			_, err := c.Write([]byte("seen"))
			return err
		}}))
		peer := s.dial()
		send(t, peer, "1")
		<-asked
		send(t, peer, "four")
		got := make([]byte, 4)
		if _, err := io.ReadFull(peer, got); err != nil {
			t.Errorf("a peer whose bytes came while its request ran: %v", err)
		}
	})
}

// Plain variables that only the traffic orders: a program that would be right with
// package net is right here, also in the eyes of the race detector, with which
// this test is worth most.
func TestTrafficOrders(t *testing.T) {
	ways := map[string]struct {
		get func(c *sock.Conn) error
		put func(c *sock.Conn) error
	}{
		"Read and Write": {read1, func(c *sock.Conn) error { return write(c) }},
		"Next": {func(c *sock.Conn) error {
			lease, err := c.Next()
			lease.Release()
			return err
		}, func(c *sock.Conn) error { return write(c) }},
		"Peek": {func(c *sock.Conn) error {
			if _, err := c.Peek(1); err != nil {
				return err
			}
			_, err := c.Discard(1)
			return err
		}, func(c *sock.Conn) error { _, err := c.Write([]byte("y")); return err }},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				const rounds = 300
				var there, back int // ordered by the connection, by nothing else
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					for i := 1; i <= rounds; i++ {
						if err := way.get(c); err != nil {
							t.Error(err)
							return
						}
						if there != i {
							t.Errorf("there = %d, want %d", there, i)
						}
						back = i
						if err := way.put(c); err != nil {
							t.Error(err)
							return
						}
					}
				}))
				peer := s.dial()
				p := make([]byte, 1)
				for i := 1; i <= rounds; i++ {
					there = i
					if _, err := peer.Write(p); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(peer, p); err != nil {
						t.Fatal(err)
					}
					if back != i {
						t.Fatalf("back = %d, want %d", back, i)
					}
				}
			})
		}
	})
}

func read1(c *sock.Conn) error { _, err := c.Read(make([]byte, 1)); return err }

// A stream's end orders what came before it, and so does a dialled connection.
func TestConnectionOrders(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const rounds = 20
		var x [rounds]int
		n := 0 // the server's own
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			x[n] = n + 1
			n++
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			wantEOF(t, c)
		}))
		for i := range rounds {
			peer := s.dial()
			if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Fatal(err)
			}
			if x[i] != i+1 {
				t.Fatalf("x[%d] = %d, want %d", i, x[i], i+1)
			}
			peer.CloseWrite()
		}
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var x int
		done := make(chan bool)
		go func() {
			defer close(done)
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.Read(make([]byte, 1))
			if x != 1 {
				t.Errorf("x = %d, want 1", x)
			}
			x = 2
			c.Write([]byte("y"))
		}()
		onLoop(t, cfg, func(l *ringo.Loop) {
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			x = 1
			if err := write(c); err != nil {
				t.Error(err)
			}
			read(c)
			if x != 2 {
				t.Errorf("x = %d, want 2", x)
			}
		})
		<-done
	})
}

// crowdConns is how many connections the tests below have: more than one look at the kernel brings.
const crowdConns = 300

// census counts how often each connection of a crowd was served, whose peers send the next message as soon as they
// have the answer to the last.
type census struct {
	t       *testing.T
	message []byte
	peers   map[string]tcpPeer // by the address of this end
	counts  map[string]int
	least   int // of what each must have had when one has had four times as many
	begun   bool
	over    bool
	ended   chan struct{}
	poor    string // what was found
}

// served is called by the loop for each message of a connection, which is another one's end.
func (s *census) served(c *sock.Conn) error {
	if s.over {
		return nil
	}
	name := c.RemoteAddr().String()
	if s.counts[name]++; s.counts[name] == 1 && len(s.counts) == len(s.peers) && !s.begun {
		s.begun = true
		clear(s.counts) // now that all are at it
	}
	if s.counts[name] == 4*s.least {
		s.finish()
		return nil
	}
	_, err := s.peers[name].Write(s.message)
	return err
}

func (s *census) finish() {
	s.over = true
	fewest, poor := 4*s.least, 0
	for name := range s.peers {
		n := s.counts[name]
		fewest = min(fewest, n)
		if n < s.least {
			poor++
		}
	}
	if poor > 0 {
		s.poor = fmt.Sprintf("one of %d connections was served %d times, and %d less than %d times, one %d times",
			len(s.peers), 4*s.least, poor, s.least, fewest)
	}
	close(s.ended)
}

// Whether or not a connection has found the loop's buffers in use, and however fast its peer is, it is served about as
// often as the others are.
func TestCrowdIsServedEvenly(t *testing.T) {
	serving := map[string]struct {
		least int
		burst bool // a task has its 128 calls first, so the count begins when all have had some
		serve func(s *census, all func() bool) func(*ringo.Loop, *sock.Listener) error
	}{
		"requests": {8, false, func(s *census, begun func() bool) func(*ringo.Loop, *sock.Listener) error {
			return perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
				for c.Buffered() >= len(s.message) {
					c.Discard(len(s.message))
					if begun() {
						if err := s.served(c); err != nil {
							return err
						}
					}
				}
				return nil
			}})
		}},
		"tasks": {128, true, func(s *census, begun func() bool) func(*ringo.Loop, *sock.Listener) error {
			return perConn(func(c *sock.Conn) {
				for {
					if _, err := c.Discard(len(s.message)); err != nil {
						return
					}
					if begun() && s.served(c) != nil {
						return
					}
				}
			})
		}},
	}
	for name, way := range serving {
		for _, buffers := range []int{16, 256} {
			if race.Enabled && (buffers > 16 || way.burst) {
				continue // 150,000 messages take it half a minute, and it finds no races that the other does not
			}
			t.Run(fmt.Sprintf("%s/buffers=%d", name, buffers), func(t *testing.T) {
				eachDriver(t, func(t *testing.T, cfg ringo.Config) {
					if buffers > 16 {
						testmain.NeedLong(t, "a second or two; fewer buffers than connections are what makes them wait")
					}
					needNumbers(t, 3*crowdConns)
					cfg.Loops, cfg.Buffers, cfg.BufferSize = 1, buffers, 1024
					s := &census{
						t: t, message: make([]byte, cfg.BufferSize), least: way.least, begun: !way.burst,
						ended: make(chan struct{}), peers: map[string]tcpPeer{}, counts: map[string]int{},
					}
					// All have sent a message and been served before the count begins.
					var here atomic.Int32
					begun := func() bool {
						n := here.Add(1)
						if n == crowdConns {
							for _, peer := range s.peers {
								peer.Write(s.message)
							}
						}
						return n > crowdConns
					}
					server := serve(t, cfg, way.serve(s, begun))
					for range crowdConns {
						peer := server.dial()
						s.peers[peer.LocalAddr().String()] = peer
					}
					for _, peer := range s.peers {
						if _, err := peer.Write(s.message); err != nil {
							t.Fatal(err)
						}
					}
					patience.Within(t.Name(), func() { <-s.ended })
					if s.poor != "" {
						t.Error(s.poor)
					}
				})
			})
		}
	}
}
