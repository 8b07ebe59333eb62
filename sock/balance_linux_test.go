//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// evenly reserves an address whose connections go to the loop that has the fewest.
func evenly(t testing.TB, network string) *sock.ListenerSet {
	t.Helper()
	address := "127.0.0.1:0"
	if network != "tcp" {
		address = abstractName()
	}
	set, err := (&sock.ListenConfig{Balance: true}).Reserve(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// A client is a connection that stays, to a server that answers each byte with the number of its loop.
type client struct{ net.Conn }

// clientOf connects to a set.
func clientOf(t testing.TB, set *sock.ListenerSet) client {
	t.Helper()
	c, err := socktest.Dial(t, set.Addr().Network(), set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{c}
}

// loop is which one serves it.
func (c client) loop(t testing.TB) int {
	t.Helper()
	p := []byte("?")
	_, err := c.Write(p)
	if err == nil {
		_, err = io.ReadFull(c, p)
	}
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return int(p[0])
}

// clientsOf are n clients that are served, by loop.
func clientsOf(t testing.TB, set *sock.ListenerSet, n int) (of [2][]client) {
	t.Helper()
	for range n {
		c := clientOf(t, set)
		i := c.loop(t)
		of[i] = append(of[i], c)
	}
	return of
}

// leave closes clients.
func leave(all ...client) {
	for _, c := range all {
		c.Close()
	}
}

// told answers each byte with the number of the loop.
func told(c *sock.Conn, p []byte) error {
	for i := range p {
		p[i] = byte(c.Loop().Index())
	}
	_, err := c.Write(p)
	return err
}

// tells is a Handler's Request that does.
func tells(c *sock.Conn) error {
	p := make([]byte, c.Buffered())
	c.Read(p)
	return told(c, p)
}

// tellsAll serves a connection that way.
func tellsAll(c *sock.Conn) {
	p := make([]byte, 64)
	for {
		n, err := c.Read(p)
		if err != nil || told(c, p[:n]) != nil {
			return
		}
	}
}

// servers are ways to accept, and serve that way.
var servers = map[string]func(l *ringo.Loop, ln *sock.Listener) error{
	"Serve":  perRequest(&sock.Handler{Request: tells}),
	"Accept": perConn(tellsAll),
	"goroutines": func(l *ringo.Loop, ln *sock.Listener) error {
		return l.Offload(func(context.Context) error {
			var all sync.WaitGroup // which no loop waits for
			defer all.Wait()
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				all.Go(func() {
					defer c.Close()
					tellsAll(c)
				})
			}
		})
	},
}

// firstOf is a server's loop 0.
func firstOf(s *server) *ringo.Loop { return s.loops[0].Loops()[0] }

// counted are the numbers of a set's connections, in the order of the loops.
func counted(set *sock.ListenerSet) (all [2]int) {
	for l, n := range sock.Counted(set) {
		all[l.Index()] = n
	}
	return all
}

// wantCounted waits until the loops have so many connections: those that end do so in their own time.
func wantCounted(t testing.TB, when string, set *sock.ListenerSet, want ...int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s: the loops have %v connections", when, want), func() bool {
		got := counted(set)
		return slices.Equal(got[:], want)
	})
}

// Twenty clients that stay are ten for each of two loops, whoever accepts; and when all of one loop have left, be it
// the first or the last, it gets the next.
func TestBalance(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for name, accept := range servers {
				t.Run(network+"/"+name, func(t *testing.T) {
					set := evenly(t, network)
					s := serveSet(t, cfg, set, accept)
					of := clientsOf(t, set, 20)
					for i := range of {
						if len(of[0]) != 10 || len(of[1]) != 10 || counted(set) != [2]int{10, 10} {
							t.Fatalf("the loops serve %d and %d, counted %v", len(of[0]), len(of[1]), counted(set))
						}
						leave(of[i]...)
						want := []int{10, 10}
						want[i] = 0
						wantCounted(t, "one loop's have left", set, want...)
						of[i] = nil
						more := clientsOf(t, set, 10)
						of[0], of[1] = append(of[0], more[0]...), append(of[1], more[1]...)
					}
					leave(append(of[0], of[1]...)...)
					wantCounted(t, "all have left", set, 0, 0)
					s.stop()
				})
			}
		}
	})
}

// ServeSets deals out as well, and so do loops that share a socket from elsewhere.
func TestBalanceServeSets(t *testing.T) {
	reserve := map[string]func(t *testing.T) *sock.ListenerSet{
		"reserved": func(t *testing.T) *sock.ListenerSet { return evenly(t, "tcp") },
		"adopted": func(t *testing.T) *sock.ListenerSet {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			set, err := sock.AdoptSet(ln, &sock.AdoptConfig{Balance: true})
			if err != nil {
				t.Fatal(err)
			}
			return set
		},
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for name, reserve := range reserve {
			t.Run(name, func(t *testing.T) {
				set := reserve(t)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- sock.ServeSets(ctx, &cfg, []*sock.ListenerSet{set}, tellsAll) }()
				eventually(t, "both loops listen", func() bool { return len(sock.Counted(set)) == 2 })
				of := clientsOf(t, set, 20)
				if len(of[0]) != 10 {
					t.Errorf("the loops serve %d and %d", len(of[0]), len(of[1]))
				}
				leave(append(of[0], of[1]...)...)
				stop()
				patience.Within(t.Name(), func() {
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
}

// Of loops that have equally many each gets its turn: not one all that come when nobody is there.
func TestBalanceTakesTurns(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := evenly(t, "tcp")
		s := serveSet(t, cfg, set, servers["Serve"])
		var served [2]int
		for range 10 {
			c := clientOf(t, set)
			served[c.loop(t)]++
			leave(c)
			wantCounted(t, "it has left", set, 0, 0)
		}
		if served != [2]int{5, 5} {
			t.Errorf("ten that come one after the other: %v", served)
		}
		s.stop()
	})
}

// A connection counts until it ends, however and wherever it does, and then no more: for the loop that it was moved to,
// and for none that a move has failed to reach.
func TestBalanceCounts(t *testing.T) {
	var gone *ringo.Loop
	var set *sock.ListenerSet
	ends := map[string]struct {
		end  func(c *sock.Conn) (*sock.Conn, error)
		want []int // if the connection was the first loop's
	}{
		"Close":     {func(c *sock.Conn) (*sock.Conn, error) { return c, c.Close() }, []int{0, 0}},
		"CloseSoon": {func(c *sock.Conn) (*sock.Conn, error) { c.CloseSoon(); return c, nil }, []int{0, 0}},
		"Detach": {func(c *sock.Conn) (*sock.Conn, error) {
			fd, _, err := c.Detach()
			unix.Close(fd)
			return c, err
		}, []int{0, 0}},
		"DetachConn": {func(c *sock.Conn) (*sock.Conn, error) {
			n, err := c.DetachConn()
			if err == nil {
				n.Close()
			}
			return c, err
		}, []int{0, 0}},
		"MoveTo": {func(c *sock.Conn) (*sock.Conn, error) { return c.MoveTo(otherLoop(c.Loop())) }, []int{0, 1}},
		"MoveTo there and back": {func(c *sock.Conn) (*sock.Conn, error) {
			home := c.Loop()
			c, err := c.MoveTo(otherLoop(home))
			if err == nil {
				c, err = c.MoveTo(home)
			}
			return c, err
		}, []int{1, 0}},
		"MoveTo a loop that has ended": {func(c *sock.Conn) (*sock.Conn, error) {
			if _, err := c.MoveTo(gone); !errors.Is(err, ringo.ErrEnded) {
				return c, fmt.Errorf("MoveTo a loop that has ended: %w", err)
			}
			return c, nil
		}, []int{1, 0}},
		"MoveTo, given up": {func(c *sock.Conn) (*sock.Conn, error) {
			l, inHand, hold := c.Loop(), make(chan bool, 1), make(chan bool)
			l.Go(func() {
				io.Copy(writerFunc(func(p []byte) (int, error) {
					inHand <- true
					return len(p), awaitIn(l, hold)
				}), c)
			})
			offload(l, func(context.Context) error { <-inHand; return nil })
			var err error
			move := l.Go(func() { _, err = c.MoveTo(otherLoop(l)) }) // which waits for the copy
			offload(l, func(context.Context) error {
				wantCounted(t, "it is being moved", set, 1, 1)
				return nil
			})
			move.Cancel()
			move.Wait()
			close(hold)
			if !errors.Is(err, context.Canceled) {
				return c, fmt.Errorf("MoveTo of a cancelled task: %w", err)
			}
			return c, nil
		}, []int{1, 0}},
		"MoveTo, closed": {func(c *sock.Conn) (*sock.Conn, error) {
			c.Close()
			if _, err := c.MoveTo(otherLoop(c.Loop())); !errors.Is(err, net.ErrClosed) {
				return c, fmt.Errorf("MoveTo of a closed one: %w", err)
			}
			return c, nil
		}, []int{0, 0}},
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) { gone = l })
		cfg.Loops = 2
		for name, e := range ends {
			for who, accept := range map[string]func(*ringo.Loop, *sock.Listener, func(*sock.Conn)) error{
				"task": func(l *ringo.Loop, ln *sock.Listener, fn func(*sock.Conn)) error { return perConn(fn)(l, ln) },
				"goroutine": func(l *ringo.Loop, ln *sock.Listener, fn func(*sock.Conn)) error {
					return l.Offload(func(context.Context) error {
						for {
							c, err := ln.AcceptConn()
							if err != nil {
								return err
							}
							fn(c)
						}
					})
				},
			} {
				t.Run(name+"/"+who, func(t *testing.T) {
					set = evenly(t, "tcp")
					ended, over := make(chan *sock.Conn, 1), make(chan bool)
					s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
						return accept(l, ln, func(c *sock.Conn) {
							home := l.Index()
							c, err := e.end(c)
							if err != nil {
								t.Error(err)
							}
							want := slices.Clone(e.want)
							if home == 1 {
								slices.Reverse(want)
							}
							offload(l, func(context.Context) error {
								wantCounted(t, name, set, want...)
								ended <- c
								<-over
								return nil
							})
							if c != nil {
								c.Close()
							}
						})
					})
					send(t, clientOf(t, set), "x")
					<-ended
					close(over)
					wantCounted(t, "at the end", set, 0, 0)
					s.stop()
				})
			}
		}
	})
}

// stranger is the descriptor of a connection that was accepted somewhere, and its peer.
func stranger(t testing.TB) (fd int, peer client) {
	t.Helper()
	accepted, dialled := netPair[*net.TCPConn](t, "tcp")
	raw, err := accepted.SyscallConn()
	if err == nil {
		raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) })
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted.Close()
	return fd, client{dialled}
}

// assign is sock.Assign of a connection of a stranger's, for a loop by its number.
func assign(t testing.TB, set *sock.ListenerSet, to int) (bring func(), peer client) {
	t.Helper()
	for range 2 { // the loops have equally many, so they take turns
		if l, bring := sock.Assign(set); l == nil {
			t.Fatal("no loop takes any")
		} else if fd, peer := stranger(t); l.Index() == to {
			return func() { bring(fd) }, peer
		} else {
			bring(fd)
			if got := peer.loop(t); got != l.Index() {
				t.Fatalf("loop %d got what was for loop %d", got, l.Index())
			}
			leave(peer)
			wantCounted(t, "it has left", set, 0, 0)
		}
	}
	t.Fatalf("loop %d gets none", to)
	return nil, client{}
}

// A drain does not overtake what one loop has accepted for another: it is served, be it that it comes late.
func TestBalanceDrain(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			for name, accept := range servers {
				t.Run(network+"/"+name, func(t *testing.T) {
					set := evenly(t, network)
					s := serveSet(t, cfg, set, accept)
					bring, peer := assign(t, set, 1)
					s.cancel()
					eventually(t, "the drain has begun", func() bool { return sock.Taking(set) == 0 })
					bring()
					if got := peer.loop(t); got != 1 {
						t.Errorf("it is served by loop %d", got)
					}
					leave(peer)
					s.stop()
					if n := counted(set); n != [2]int{} {
						t.Errorf("counted at the end: %v", n)
					}
				})
			}
		}
	})
}

// What is on its way to a listener that closes, or waits there to be asked for, goes to another one.
func TestBalanceListenerCloses(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			for _, when := range []string{"before", "behind"} {
				t.Run(network+"/"+when, func(t *testing.T) {
					set := evenly(t, network)
					closeIt, closed, over := make(chan bool), make(chan bool), make(chan bool)
					s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
						if l.Index() == 0 {
							return perConn(tellsAll)(l, ln)
						}
						awaitIn(l, closeIt)
						err := ln.Close()
						close(closed)
						awaitIn(l, over) // the loop is there all the time
						return err
					})
					var bring [2]func()
					var peers [2]client
					for range bring { // the second is the closing loop's
						l, to := sock.Assign(set)
						fd, peer := stranger(t)
						bring[l.Index()], peers[l.Index()] = func() { to(fd) }, peer
					}
					bring[0]()
					if when == "behind" {
						bring[1]()
					}
					close(closeIt)
					<-closed
					if when == "before" {
						bring[1]()
					}
					for _, peer := range peers {
						if got := peer.loop(t); got != 0 {
							t.Errorf("loop %d serves", got)
						}
					}
					wantCounted(t, "one has closed", set, 2, 0)
					leave(peers[:]...)
					wantCounted(t, "all have left", set, 0, 0)
					close(over)
					s.stop()
				})
			}
		}
	})
}

// What is for a loop that ends goes to another: its listener is open until then.
func TestBalanceLoopEnds(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		set := evenly(t, "tcp")
		defer set.Close()
		patience.Within(t.Name(), func() {
			lives := make(chan *ringo.Loop)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					ln, err := set.Listen(l)
					if err != nil {
						return err
					}
					lives <- l
					return perConn(tellsAll)(l, ln)
				})
			}()
			alive := <-lives
			var bring []func()
			var peers []client
			onLoop(t, cfg, func(l *ringo.Loop) {
				if _, err := set.Listen(l); err != nil {
					t.Error(err)
					return
				}
				for range 4 {
					of, to := sock.Assign(set)
					fd, peer := stranger(t)
					peers = append(peers, peer)
					if of == alive || len(bring) > 0 {
						to(fd) // to the other, or into the mailbox of the loop that is about to end
					} else {
						bring = append(bring, func() { to(fd) })
					}
				}
			})
			bring[0]()
			for _, peer := range peers {
				peer.loop(t)
			}
			if n := sock.Counted(set)[alive]; n != len(peers) {
				t.Errorf("the loop that lives has %d", n)
			}
			leave(peers...)
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
}

// One loop's listener has nobody to share with, and says so.
func TestBalanceOfOneLoop(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, network := range []string{"tcp", "unix"} {
				_, err := (&sock.ListenConfig{Balance: true}).Listen(l, network, "127.0.0.1:0")
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Listen on %s: %v", network, err)
				}
			}
		})
	})
}

// No loop is given more than may wait there to be asked for: what nobody asks for goes to those who do.
func TestBalanceLeavesOutWhoDoesNotAsk(t *testing.T) {
	const waitsMost = 256
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		needNumbers(t, 7*waitsMost)
		cfg.Loops = 2
		set := evenly(t, "tcp")
		over := make(chan bool)
		s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				awaitIn(l, over)
				return ln.Close()
			}
			return perConn(func(c *sock.Conn) { read(c) })(l, ln)
		})
		var peers []*os.File
		for i := range 3 * waitsMost {
			_, bring := sock.Assign(set)
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			bring(fds[0])
			peers = append(peers, os.NewFile(uintptr(fds[1]), "peer"))
			if i%10 == 0 { // who asks is not to have too many waiting, either
				firstOf(s).Go(func() {}).Wait()
			}
		}
		wantCounted(t, "all are on their way", set, 2*waitsMost, waitsMost)
		for _, f := range peers {
			f.Close()
		}
		close(over)
		wantCounted(t, "all have left", set, 0, 0)
		s.stop()
	})
}

// A loop whose driver can't wait for a descriptor of that number is given none such: a set may be that of several Runs.
func TestBalanceLeavesOutWhoCannotWait(t *testing.T) {
	const high = 1024 // of select
	t.Setenv("RINGO_DRIVER", "")
	needNumbers(t, 2*high)
	set := evenly(t, "tcp")
	run := func(driver string) (l *ringo.Loop, end func()) {
		lives, done := make(chan *ringo.Loop, 1), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			cfg := ringo.Config{Driver: driver, Loops: 1, Logger: testmain.Reports(t)}
			done <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := set.Listen(l)
				if err != nil {
					return err
				}
				lives <- l
				return perConn(tellsAll)(l, ln)
			})
		}()
		select {
		case l = <-lives:
		case err := <-done:
			t.Fatalf("on %s: %v", driver, err)
		}
		return l, func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	few, endFew := run("select")
	some, endSome := run("epoll")
	patience.Within(t.Name(), func() {
		var peers []client
		for range 3 {
			low, peer := stranger(t)
			fd, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, high)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(low)
			l, bring := sock.AssignOf(set, fd)
			if l != some {
				t.Error("it is given to a loop that can't wait for it")
			}
			bring(fd)
			peers = append(peers, peer)
			peer.loop(t)
		}
		leave(peers...)
		endSome()
		if l, bring := sock.AssignOf(set, high); l != nil {
			t.Error("the loop that is left is given one that it can't wait for")
			fd, peer := stranger(t)
			bring(fd)
			leave(peer)
		}
		if l, bring := sock.Assign(set); l != few {
			t.Error("the loop that is left is given none")
		} else {
			fd, peer := stranger(t)
			bring(fd)
			peer.loop(t)
			leave(peer)
		}
		endFew()
		set.Close()
	})
}

// heat is what a test of Rebalance counts.
type heat struct {
	mu                   sync.Mutex
	requests             [2]int
	opened, moved, ended map[any]int
}

// handler counts, and gives each connection a value to know it by.
func (h *heat) handler() *sock.Handler {
	h.opened, h.moved, h.ended = map[any]int{}, map[any]int{}, map[any]int{}
	count := func(of map[any]int, c *sock.Conn) {
		h.mu.Lock()
		defer h.mu.Unlock()
		of[c.Value()]++
	}
	var names atomic.Int64
	return &sock.Handler{
		Open: func(c *sock.Conn) error {
			c.SetValue(names.Add(1))
			count(h.opened, c)
			return nil
		},
		Request: func(c *sock.Conn) error {
			h.mu.Lock()
			h.requests[c.Loop().Index()]++
			h.mu.Unlock()
			return tells(c)
		},
		Closed: func(c *sock.Conn, _ error) { count(h.ended, c) },
		Moved:  func(c *sock.Conn) { count(h.moved, c) },
	}
}

// window has the clients ask so often each, and gives how many requests the loops had.
func (h *heat) window(t testing.TB, clients []client, times func(i int) int) [2]int {
	t.Helper()
	h.mu.Lock()
	h.requests = [2]int{}
	h.mu.Unlock()
	for i, c := range clients {
		for range times(i) {
			c.loop(t)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests
}

// Of twenty clients the ten that ask much are all one loop's, as they came by turns; then Rebalance is called, and no
// loop has more than 1.15 of the mean, nor more clients than the other. Each is opened and closed once.
func TestRebalance(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			for _, by := range []string{"task", "goroutine"} {
				t.Run(network+"/"+by, func(t *testing.T) {
					set := evenly(t, network)
					h := new(heat)
					s := serveSet(t, cfg, set, perRequest(h.handler()))
					rebalance := func() (n int, err error) {
						if by == "goroutine" {
							return set.Rebalance()
						}
						s.loops[0].Go(func() { n, err = set.Rebalance() }).Wait()
						return n, err
					}
					of := clientsOf(t, set, 20)
					all := append(of[0], of[1]...)
					asks := func(i int) int {
						if i < 10 {
							return 5 + 2*i
						}
						return 0
					}
					for round := range 3 {
						// The first ten are those of one loop, now of this and now of that, so that some come back.
						of = [2][]client{}
						for _, c := range all {
							i := c.loop(t)
							of[i] = append(of[i], c)
						}
						all = append(of[round%2], of[1-round%2]...)
						if moved, err := rebalance(); moved != 0 || err != nil { // of each of which has asked once
							t.Fatalf("Rebalance where all is even: %d moved, %v", moved, err)
						}
						before := h.window(t, all, asks)
						total := before[0] + before[1]
						if before[round%2] != total {
							t.Fatalf("the loops have %v requests", before)
						}
						moved, err := rebalance()
						if err != nil || moved == 0 {
							t.Errorf("Rebalance: %d moved, %v", moved, err)
						}
						if n := counted(set); n != [2]int{10, 10} {
							t.Errorf("the loops have %v connections", n)
						}
						after := h.window(t, all, asks)
						if most := max(after[0], after[1]); 100*2*most > 115*total {
							t.Errorf("the loops have %v requests, before %v", after, before)
						}
					}
					leave(all...)
					wantCounted(t, "all have left", set, 0, 0)
					s.stop()
					if len(h.opened) != 20 || len(h.ended) != 20 || len(h.moved) == 0 {
						t.Errorf("%d opened, %d closed, %d moved", len(h.opened), len(h.ended), len(h.moved))
					}
					for c, n := range h.ended {
						if n != 1 || h.opened[c] != 1 {
							t.Errorf("connection %v was opened %d times, and closed %d times", c, h.opened[c], n)
						}
					}
				})
			}
		}
	})
}

// Rebalance lets those be that are not between two requests, and those whose Handler knows nothing of it.
func TestRebalanceLets(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		inRequest, goOn := make(chan bool, 100), make(chan error)
		var leases []buf.Lease
		requests := map[string]func(c *sock.Conn) error{
			"no Moved": tells,
			"in a Request": func(c *sock.Conn) error {
				c.Read(make([]byte, 1))
				inRequest <- true
				return waiter(c)(goOn)
			},
			"unread": func(c *sock.Conn) error { inRequest <- true; return nil },
			"leased": func(c *sock.Conn) error {
				lease, err := c.Next()
				leases = append(leases, lease)
				inRequest <- true
				return err
			},
		}
		for name, request := range requests {
			t.Run(name, func(t *testing.T) {
				set := evenly(t, "tcp")
				h := &sock.Handler{Request: func(c *sock.Conn) error {
					if p, _ := c.Peek(1); len(p) == 1 && p[0] == '!' {
						return request(c)
					}
					return tells(c)
				}}
				if name != "no Moved" {
					h.Moved = func(*sock.Conn) { t.Error("it was moved") }
				}
				s := serveSet(t, cfg, set, perRequest(h))
				of := clientsOf(t, set, 6)
				leave(of[1]...)
				wantCounted(t, "one loop's have left", set, 3, 0)
				for _, c := range of[0] {
					send(t, c, "!")
					if name == "no Moved" {
						io.ReadFull(c, make([]byte, 1))
						continue
					}
					<-inRequest
				}
				firstOf(s).Go(func() {}).Wait() // those that have returned rest
				if moved, err := set.Rebalance(); moved != 0 || err != nil {
					t.Errorf("Rebalance: %d moved, %v", moved, err)
				}
				close(goOn)
				goOn = make(chan error)
				for _, lease := range leases {
					lease.Release()
				}
				leases = nil
				leave(of[0]...)
				wantCounted(t, "all have left", set, 0, 0)
				s.stop()
			})
		}
	})
}

// Where the other loop serves nobody, or no more, a connection that was on its way there comes back, and is served on.
// It is another Conn then, which its Handler is told.
func TestRebalanceComesBack(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := evenly(t, "tcp")
		h := new(heat)
		handler := h.handler()
		var served, known, ended atomic.Pointer[sock.Conn]
		handler.Request = func(c *sock.Conn) error { served.Store(c); return tells(c) }
		open, moved, closed := handler.Open, handler.Moved, handler.Closed
		handler.Open = func(c *sock.Conn) error { known.Store(c); return open(c) }
		handler.Moved = func(c *sock.Conn) { known.Store(c); moved(c) }
		handler.Closed = func(c *sock.Conn, err error) { ended.Store(c); closed(c, err) }
		over := make(chan bool)
		s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 { // its listener is there
				return awaitIn(l, over)
			}
			return sock.Serve(l, ln, handler)
		})
		l, bring := sock.Assign(set)
		if l.Index() != 0 {
			l, bring = sock.Assign(set)
		}
		fd, peer := stranger(t)
		bring(fd)
		for range 3 {
			if got := peer.loop(t); got != 0 {
				t.Errorf("loop %d serves", got)
			}
			l.Go(func() {
				if sock.MoveServed(set, served.Load(), otherLoop(l)) {
					t.Error("it was moved to a loop that serves nobody")
				}
			}).Wait()
		}
		peer.loop(t)
		if n := sock.Counted(set)[l]; n != 1 {
			t.Errorf("its loop has %d connections", n)
		}
		leave(peer)
		close(over)
		s.stop()
		if len(h.opened) != 1 || h.moved[int64(1)] != 3 || len(h.ended) != 1 || h.ended[int64(1)] != 1 {
			t.Errorf("opened %v, moved %v, closed %v", h.opened, h.moved, h.ended)
		}
		if served.Load() != known.Load() || ended.Load() != known.Load() {
			t.Error("the Conn that is served, and is closed, is not the one that the Handler was told of last")
		}
	})
}

// What was called on a Conn before Rebalance has moved it is not lost, and what is called later says that it is.
func TestRebalanceOfClosed(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := evenly(t, "tcp")
		h := new(heat)
		handler := h.handler()
		rests := make(chan *sock.Conn, 1)
		handler.Request = func(c *sock.Conn) error {
			err := tells(c)
			c.Loop().Post(func() { rests <- c })
			return err
		}
		s := serveSet(t, cfg, set, perRequest(handler))
		peer := clientOf(t, set)
		was := peer.loop(t)
		old := <-rests
		l := old.Loop()
		move := func(c *sock.Conn, to *ringo.Loop) (moved bool) {
			c.Loop().Go(func() { moved = sock.MoveServed(set, c, to) }).Wait()
			return moved
		}
		if !move(old, otherLoop(l)) {
			t.Fatal("it was not moved")
		}
		if err := old.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close of the Conn whose place another has taken: %v", err)
		}
		old.CloseSoon()
		if now := peer.loop(t); now == was {
			t.Errorf("it is served by loop %d", now)
		}
		c := <-rests
		c.Loop().Go(func() {
			called := make(chan bool)
			go func() { c.CloseSoon(); close(called) }()
			<-called // of which the loop has yet to hear
			if sock.MoveServed(set, c, l) {
				t.Error("it was moved after CloseSoon")
			}
		}).Wait()
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer's Read: %v", err)
		}
		leave(peer)
		s.stop()
		if len(h.opened) != 1 || h.moved[int64(1)] != 1 || h.ended[int64(1)] != 1 {
			t.Errorf("opened %v, moved %v, closed %v", h.opened, h.moved, h.ended)
		}
	})
}

// A loop whose listener was closed, and that has a new one while the first Serve waits for its last connection, has its
// part in Rebalance: by the second Serve, then and when the first has ended.
func TestRebalanceBySecondServe(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := evenly(t, "tcp")
		h := &sock.Handler{Request: tells, Moved: func(*sock.Conn) {}}
		again, listens, ended := make(chan bool), make(chan bool), make(chan bool)
		s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 1 {
				return sock.Serve(l, ln, h)
			}
			l.Go(func() {
				sock.Serve(l, ln, h)
				close(ended)
			})
			awaitIn(l, again)
			ln.Close()
			ln, err := set.Listen(l)
			close(listens)
			if err != nil {
				return err
			}
			return sock.Serve(l, ln, h)
		})
		first := clientsOf(t, set, 2)
		close(again)
		<-listens
		of := clientsOf(t, set, 20)
		for i, when := range []string{"the first Serve waits", "the first Serve has ended"} {
			if i == 1 {
				leave(first[0]...)
				<-ended
			}
			leave(of[1]...)
			have := []int{len(of[0]) + len(first[0]) - i, 1} // of loop 1 the first one stays
			wantCounted(t, "one loop's have left", set, have...)
			if moved, err := set.Rebalance(); moved == 0 || err != nil {
				t.Errorf("%s: Rebalance: %d moved, %v", when, moved, err)
			} else if n := counted(set); n != [2]int{have[0] - moved, have[1] + moved} {
				t.Errorf("%s: the loops have %v connections, %d moved", when, n, moved)
			}
			all := of[0]
			of = [2][]client{}
			for _, c := range all {
				at := c.loop(t)
				of[at] = append(of[at], c)
			}
		}
		leave(append(of[0], of[1]...)...)
		leave(first[1]...)
		s.stop()
	})
}

// Connections are moved from loop to loop in the midst of requests, of peers that leave, and of a drain: all bytes come
// back, each is closed once, and in the end none is counted.
func TestRebalanceUnderLoad(t *testing.T) {
	const peers, rounds = 12, 150
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, end := range []string{"peers leave", "drain"} {
			t.Run(end, func(t *testing.T) {
				set := evenly(t, "tcp")
				h := new(heat)
				var moves, asked atomic.Int64
				handler := h.handler()
				handler.Request = frames
				s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
					return serveInMotion(l, ln, set, *handler, &moves)
				})
				var draining atomic.Bool
				var wg sync.WaitGroup
				for i := range peers {
					wg.Go(func() {
						c := dial(t, s.addr)
						defer c.Close()
						for n := range rounds {
							msg := framed(1+(i*n)%3000, n%7)
							got := make([]byte, len(msg))
							_, err := c.Write(msg)
							if err == nil {
								_, err = io.ReadFull(c, got)
							}
							if err != nil || !slices.Equal(got, msg) {
								if err == nil || !draining.Load() {
									t.Errorf("round %d of peer %d: %v", n, i, err)
								}
								return
							}
							asked.Add(1)
						}
						if i%3 == 0 {
							reset(c)
						}
					})
				}
				if end == "drain" {
					eventually(t, "connections are moved", func() bool {
						return moves.Load() > peers && asked.Load() > peers*rounds/4
					})
					draining.Store(true)
					s.cancel()
				}
				patience.Within(t.Name(), wg.Wait)
				if moves.Load() < peers {
					t.Errorf("%d moves", moves.Load())
				}
				wantCounted(t, "all have left", set, 0, 0)
				s.stop()
				for c, n := range h.ended {
					if n != 1 {
						t.Errorf("connection %v was closed %d times", c, n)
					}
				}
				if len(h.opened) != peers || len(h.ended) != peers {
					t.Errorf("%d opened, %d closed", len(h.opened), len(h.ended))
				}
			})
		}
	})
}

// serveInMotion is Serve on a loop from which a task moves all connections to the other loop that may be moved, in each
// turn.
func serveInMotion(l *ringo.Loop, ln *sock.Listener, set *sock.ListenerSet, h sock.Handler, moves *atomic.Int64) error {
	here, over := map[*sock.Conn]bool{}, false
	opened, moved, closed := h.Open, h.Moved, h.Closed
	h.Open = func(c *sock.Conn) error { here[c] = true; return opened(c) }
	h.Moved = func(c *sock.Conn) { here[c] = true; moved(c) }
	h.Closed = func(c *sock.Conn, err error) { delete(here, c); closed(c, err) }
	mover := l.Go(func() {
		for ; !over; l.Yield() {
			for c := range here {
				if sock.MoveServed(set, c, otherLoop(l)) {
					delete(here, c)
					moves.Add(1)
				}
			}
		}
	})
	err := sock.Serve(l, ln, &h)
	over = true
	mover.Wait()
	return err
}
