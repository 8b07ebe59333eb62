//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

// withLimits reserves an address, of the network's own kind.
func withLimits(t testing.TB, network string, lc sock.ListenConfig) *sock.ListenerSet {
	t.Helper()
	address := "127.0.0.1:0"
	if network != "tcp" {
		address = abstractName()
	}
	set, err := lc.Reserve(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// wantLimited waits until the set has counted what is there.
func wantLimited(t testing.TB, set *sock.ListenerSet, conns, peers int) {
	t.Helper()
	eventually(t, "what is limited is counted", func() bool {
		c, p := sock.Limited(set)
		return c == conns && p == peers
	})
}

// counts sums what the set's listeners of a server count.
func counts(set *sock.ListenerSet) (sum sock.ListenerStats) {
	for _, ln := range sock.Listeners() {
		if ln.Addr().String() == set.Addr().String() {
			n := ln.Stats()
			sum.Accepted += n.Accepted
			sum.Limited += n.Limited
			sum.Refused += n.Refused
			sum.Open += n.Open
			sum.Ahead += n.Ahead
		}
	}
	return sum
}

// askAll has clients connect and ask, and gives each that was answered.
func askAll(t *testing.T, set *sock.ListenerSet, n int) (served chan client) {
	t.Helper()
	served = make(chan client, n)
	for range n {
		c := clientOf(t, set)
		go func() {
			p := []byte("?")
			c.Write(p)
			if _, err := io.ReadFull(c, p); err != nil {
				t.Errorf("no answer: %v", err)
			}
			served <- c
		}()
	}
	return served
}

// Never are more connections open than may be, on any loop, and each that waits gets its turn when one ends.
func TestLimitsConns(t *testing.T) {
	const most, clients = 2, 7
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for kind, lc := range map[string]sock.ListenConfig{
			"": {}, "Balance": {Balance: true}, "OneSocket": {OneSocket: true},
		} {
			for _, network := range []string{"tcp", "unix"} {
				for name, accept := range servers {
					t.Run(network+kind+"/"+name, func(t *testing.T) {
						lc.Limits = sock.Limits{Conns: most}
						set := withLimits(t, network, lc)
						s := serveSet(t, cfg, set, accept)
						served := askAll(t, set, clients)
						for i := range clients {
							c := patience.Recv(t, "the next client's answer", served)
							if i < clients-most {
								eventually(t, "the others wait", func() bool { return counts(set).Limited > 0 })
							}
							open, _ := sock.Limited(set)
							n := counts(set)
							ahead := !lc.Balance && n.Ahead > cfg.Loops // or more may be handed to one loop
							if open > most || n.Accepted > uint64(i+most) || ahead {
								t.Errorf("%d are open of %d, %d are accepted ahead, and %d have ended", open,
									n.Accepted, n.Ahead, i)
							}
							leave(c)
						}
						wantLimited(t, set, 0, 0)
						s.stop()
					})
				}
			}
		}
	})
}

// A connection has its place wherever it is, until it ends, and none that is the program's own.
func TestLimitsConnsThatMove(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := withLimits(t, "tcp", sock.ListenConfig{OneSocket: true, Limits: sock.Limits{Conns: 1}})
		s := serveSet(t, cfg, set, perConn(func(c *sock.Conn) {
			n, err := c.MoveTo(otherLoop(c.Loop()))
			if err != nil {
				t.Error(err)
				return
			}
			n.Loop().Post(func() {
				tellsAll(n)
				n.Close()
			})
		}))
		const clients = 5 // of which all but one wait
		served := askAll(t, set, clients)
		for range clients {
			c := patience.Recv(t, "the next client's answer", served)
			if n, _ := sock.Limited(set); n != 1 {
				t.Errorf("%d are counted behind a move, want 1", n)
			}
			leave(c)
		}
		wantLimited(t, set, 0, 0)
		s.stop()
	})
}

// Of one peer there are no more connections than it may have, and others have theirs; which one line tells of.
func TestLimitsConnsPerPeer(t *testing.T) {
	dialFrom := func(set *sock.ListenerSet, ip string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		c, err := d.Dial("tcp", set.Addr().String())
		if err == nil {
			c.SetDeadline(patience.Deadline())
		}
		return c, err
	}
	from := func(t *testing.T, set *sock.ListenerSet, ip string) client {
		c, err := dialFrom(set, ip)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return client{c}
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, accept := range servers {
			t.Run(name, func(t *testing.T) {
				var said bytes.Buffer // of one caller at a time, by the handler
				cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
				set := withLimits(t, "tcp", sock.ListenConfig{Limits: sock.Limits{ConnsPerPeer: 2,
					Rate: 1e-3, Burst: 4}}) // which those that are refused take nothing of
				s := serveSet(t, cfg, set, accept)
				a, b := from(t, set, "127.0.0.1"), from(t, set, "127.0.0.1")
				a.loop(t)
				b.loop(t)
				for range 3 {
					c, err := dialFrom(set, "127.0.0.1")
					if err == nil {
						if _, err = c.Write([]byte("?")); err == nil {
							_, err = c.Read(make([]byte, 1))
						}
						c.Close()
					}
					if !errors.Is(err, syscall.ECONNRESET) { // whichever call is the first to hear of it
						t.Errorf("one too many gets %v, want a reset", err)
					}
				}
				other := from(t, set, "127.0.0.2")
				other.loop(t)
				wantLimited(t, set, 3, 2)
				if n := counts(set); n.Refused != 3 || n.Open != 3 {
					t.Errorf("refused %d, want 3; open %d, want 3", n.Refused, n.Open)
				}
				leave(a)
				wantLimited(t, set, 2, 2)
				again := from(t, set, "127.0.0.1")
				again.loop(t)
				leave(b, other, again)
				wantLimited(t, set, 0, 0)
				s.stop()
				if n := strings.Count(said.String(), "ConnsPerPeer"); n != 1 {
					t.Errorf("refused connections are told of %d times, want once:\n%s", n, said.String())
				}
			})
		}
	})
}

// A wait for a place ends with whoever waits, and the connection is the next one's. Close ends it as well, and what was
// accepted.
func TestLimitsWaitsEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := (&sock.ListenConfig{Limits: sock.Limits{Conns: 1}}).Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			first, second := dial(t, ln.Addr().String()), dial(t, ln.Addr().String())
			defer first.Close()
			defer second.Close()
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			var end error
			timeout := l.WithTimeout(1, func() error { _, end = ln.AcceptConn(); return end })
			if !errors.Is(timeout, os.ErrDeadlineExceeded) {
				t.Errorf("Accept within a timeout: %v", timeout)
			}
			task := l.Go(func() { _, end = ln.AcceptConn() })
			l.Yield()
			task.Cancel()
			if task.Wait(); !errors.Is(end, context.Canceled) {
				t.Errorf("Accept of a cancelled task: %v", end)
			}
			ln.SetDeadline(l.Now().Add(-time.Second))
			if _, err := ln.AcceptConn(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Accept behind a deadline: %v", err)
			}
			ln.SetDeadline(time.Time{})
			task = l.Go(func() {
				n, err := ln.AcceptConn()
				if err != nil {
					t.Error(err)
					return
				}
				n.Write([]byte("x"))
				if err := n.Flush(); err != nil {
					t.Error(err)
				}
				c = n
			})
			l.Yield()
			c.Close()
			task.Wait()
			if _, err := io.ReadFull(second, make([]byte, 1)); err != nil {
				t.Errorf("the second client reads %v", err)
			}
			third := dial(t, ln.Addr().String())
			defer third.Close()
			task = l.Go(func() { _, end = ln.AcceptConn() })
			l.Yield()
			ln.Close()
			if task.Wait(); !errors.Is(end, net.ErrClosed) {
				t.Errorf("Accept while the listener closes: %v", end)
			}
			c.Close()
		})
	})
}

// What one loop holds on a socket that all share is another's, which asks for it, when nobody waits there any more, or
// the listener closes.
func TestLimitsHandOn(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, network := range []string{"tcp", "unix"} {
			for name, end := range map[string]func(accepts *ringo.Task, ln *sock.Listener){
				"cancel": func(accepts *ringo.Task, _ *sock.Listener) { accepts.Cancel() },
				"Close":  func(_ *ringo.Task, ln *sock.Listener) { ln.Close() },
			} {
				t.Run(network+"/"+name, func(t *testing.T) {
					set := withLimits(t, network, sock.ListenConfig{OneSocket: true,
						Limits: sock.Limits{Rate: 1e-3, Burst: 1}}) // so the second waits for long
					first, second := clientOf(t, set), clientOf(t, set)
					var listens, held, taken ringo.WaitGroup // of the other loop, without which nothing is handed on
					listens.Add(1)
					held.Add(1)
					taken.Add(1)
					s := serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
						has := func() bool { return ln.Stats().Ahead == 1 }
						if l.Index() > 0 {
							defer taken.Done()
							listens.Done()
							held.Wait()
							accepts := l.Go(func() {
								if c, err := ln.AcceptConn(); err == nil {
									t.Error("there was a token for the other loop")
									c.Close()
								}
							})
							socktest.EventuallyOn(t, l, "the other loop has it", has)
							accepts.Cancel()
							accepts.Wait()
							return nil
						}
						listens.Wait()
						c, err := ln.AcceptConn()
						if err != nil {
							return err
						}
						defer c.Close()
						accepts := l.Go(func() {
							if c, err := ln.AcceptConn(); err == nil {
								t.Error("there was a token")
								c.Close()
							}
						})
						socktest.EventuallyOn(t, l, "it is held", has)
						end(accepts, ln)
						accepts.Wait()
						held.Done()
						taken.Wait() // or the function's end closes the listener, cancelled or not
						return nil
					})
					patience.Done(t, "the loops' end", s.done)
					s.stop()
					leave(first, second)
				})
			}
		}
	})
}

// What one loop holds goes to a listener in which somebody waits, a task of its loop or not, and past one that nobody
// uses; if there is none, to the first that asks.
func TestLimitsHandOnToWhoAsks(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, end := range []string{"cancel", "Close"} {
			for _, asks := range []struct {
				name   string
				by, at int // the loops of the task and of the listener, of which that of loop 1 comes first
				later  bool
			}{
				{"a task", 2, 2, false}, {"a task of another loop", 1, 2, false},
				{"a task of another loop, at the first", 2, 1, false}, {"a task, later", 2, 2, true},
			} {
				t.Run(network+"/"+end+"/"+asks.name, func(t *testing.T) {
					sim.Run(t, 1, func(w *sim.World) {
						var set *sock.ListenerSet
						var loops [3]*ringo.Loop
						var lns [3]*sock.Listener
						w.Check(w.Wait(w.Host("a").Run(&ringo.Config{Loops: 3}, func(l *ringo.Loop) (err error) {
							i := l.Index()
							if i == 0 {
								lc := sock.ListenConfig{OneSocket: network == "tcp",
									Limits: sock.Limits{Rate: 0.1, Burst: 1}}
								at := map[string]string{"tcp": ":7000", "unix": "/tmp/s"}[network]
								if set, err = lc.Reserve(network, at); err != nil {
									return err
								}
								defer set.Close()
							}
							l.Sleep(time.Duration(i+1) * time.Second)
							if lns[i], err = set.Listen(l); err != nil {
								return err
							}
							defer lns[i].Close()
							if loops[i] = l; i > 0 {
								return l.Sleep(time.Hour)
							}
							l.Sleep(time.Minute)
							handOn(t, network, loops, lns, end == "cancel", asks.later, asks.by, asks.at)
							return nil
						})))
					})
				})
			}
		}
	}
}

// handOn has loop 0 hold a connection, and give it up, and wants it in a listener in which a task asks.
func handOn(t *testing.T, network string, loops [3]*ringo.Loop, lns [3]*sock.Listener, cancel, later bool, by,
	at int) {
	l, ln := loops[0], lns[0]
	for range 2 {
		c, err := sock.Dial(l, network, ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
	}
	first, err := ln.AcceptConn()
	if err != nil {
		t.Error(err)
		return
	}
	defer first.Close()
	holds := l.Go(func() {
		if c, err := ln.AcceptConn(); err == nil {
			t.Error("there was a token")
			c.Close()
		}
	})
	l.Sleep(time.Second)
	if n := ln.Stats().Ahead; n != 1 {
		t.Errorf("loop 0 holds %d, want 1", n)
	}
	var asks *ringo.Task
	ask := func() {
		asks = loops[by].Go(func() {
			lns[at].SetDeadline(loops[by].Now().Add(time.Minute))
			c, err := lns[at].AcceptConn()
			if err != nil {
				t.Errorf("the connection came to nobody: %v", err)
				return
			}
			c.Close()
		})
		l.Sleep(time.Second)
	}
	if !later {
		ask()
	}
	if cancel {
		holds.Cancel()
	} else {
		ln.Close()
	}
	if holds.Wait(); later {
		l.Sleep(time.Second)
		ask()
	}
	asks.Wait()
}

// Who has connected before a drain is served, as places come free.
func TestLimitsInADrain(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, accept := range servers {
			t.Run(name, func(t *testing.T) {
				cfg.Grace = time.Hour
				set := withLimits(t, "tcp", sock.ListenConfig{Limits: sock.Limits{Conns: 1}})
				s := serveSet(t, cfg, set, accept)
				first := clientOf(t, set)
				first.loop(t)
				rest := []client{clientOf(t, set), clientOf(t, set), clientOf(t, set)}
				for _, c := range rest {
					c.Write([]byte("?"))
				}
				s.cancel()
				served := make(chan bool, len(rest))
				for _, c := range rest {
					go func() {
						_, err := io.ReadFull(c, make([]byte, 1))
						served <- err == nil
						c.Close()
					}()
				}
				leave(first)
				for range rest {
					if !patience.Recv(t, "an answer", served) {
						t.Error("who had connected before the drain was not served")
					}
					if n, _ := sock.Limited(set); n > 1 {
						t.Errorf("%d have a place in a drain, want 1", n)
					}
				}
				s.stop()
				if n, _ := sock.Limited(set); n != 0 {
					t.Errorf("%d are counted when all have ended", n)
				}
			})
		}
	})
}

// Who has got a place while another loop was late to take it waits for none any more: when it ends, the loop that still
// waits is woken.
func TestLimitsWakeWhoWaits(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		set := withLimits(t, "tcp", sock.ListenConfig{Balance: true, Limits: sock.Limits{Conns: 1}})
		var loops [2]*ringo.Loop
		var lns [2]*sock.Listener
		here, over := make(chan bool, 2), make(chan bool)
		serveSet(t, cfg, set, func(l *ringo.Loop, ln *sock.Listener) error {
			loops[l.Index()], lns[l.Index()] = l, ln
			here <- true
			awaitIn(l, over)
			return nil
		})
		t.Cleanup(func() { close(over) })
		<-here
		<-here
		accept := func(i int) chan *sock.Conn {
			got := make(chan *sock.Conn, 1)
			loops[i].Go(func() {
				c, err := lns[i].AcceptConn()
				if err != nil {
					t.Errorf("loop %d: %v", i, err)
				}
				got <- c
			})
			return got
		}
		waits := func(i int, times uint64, ahead int) {
			eventually(t, "it waits for a place", func() bool {
				n := lns[i].Stats()
				return n.Limited == times && n.Ahead == ahead
			})
		}
		bring := func() (to int, come func()) {
			l, send := sock.Assign(set)
			fd, _ := stranger(t)
			return l.Index(), func() { send(fd) }
		}
		first, come := bring()
		other := 1 - first
		come()
		has := patience.Recv(t, "the first", accept(first))
		late := accept(other)
		waits(other, 1, 0)
		next := accept(first)
		waits(first, 1, 0)
		var comes [2]func()
		for range comes {
			at, come := bring()
			comes[at] = come
		}
		comes[other]()
		waits(other, 1, 1)
		held, release := make(chan bool), make(chan bool)
		loops[other].Post(func() { close(held); <-release })
		<-held
		has.Close() // the other loop's turn, which comes late
		comes[first]()
		has = patience.Recv(t, "the one that comes meanwhile", next)
		close(release)
		waits(other, 2, 1)
		has.Close()
		patience.Recv(t, "the one that has waited", late).Close()
	})
}

// So many are accepted in a second, and so many at once.
func TestLimitsRate(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		ln, err := (&sock.ListenConfig{Limits: sock.Limits{Rate: 10, Burst: 2}}).Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		begun := l.Now()
		var at []time.Duration
		for range 6 {
			l.Go(func() {
				c, err := sock.Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				c.Read(make([]byte, 1))
			})
		}
		for range 6 {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			at = append(at, l.Now().Sub(begun))
			c.Close()
		}
		for i, d := range at {
			want := time.Duration(max(0, i-1)) * 100 * time.Millisecond
			if d < want || d > want+5*time.Millisecond {
				t.Errorf("connection %d is accepted after %v, want %v", i, d, want)
			}
		}
		if ln.Stats().Limited == 0 {
			t.Error("no wait is counted")
		}
		return nil
	})
}

func TestPeerOf(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%eth0": "fe80::1%eth0",
	} {
		if got := sock.PeerOf(netip.MustParseAddr(a)); got != netip.MustParseAddr(want) {
			t.Errorf("%s is a connection of %v's, want %s", a, got, want)
		}
	}
}

func TestLimitsThatAreNone(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		for _, limits := range []sock.Limits{
			{Conns: -1}, {ConnsPerPeer: -1}, {Rate: -1}, {Rate: math.NaN()}, {Burst: -1},
		} {
			lc := sock.ListenConfig{Limits: limits}
			_, err1 := lc.Listen(l, "tcp", "127.0.0.1:0")
			_, err2 := lc.Listen(l, "unix", abstractName())
			_, err3 := lc.Reserve("tcp", "127.0.0.1:0")
			_, err4 := lc.Reserve("unix", abstractName())
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_, err5 := sock.Adopt[*sock.Listener](l, ln, &sock.AdoptConfig{Limits: limits})
			_, err6 := sock.AdoptSet(ln, &sock.AdoptConfig{Limits: limits})
			ln.Close()
			for i, err := range []error{err1, err2, err3, err4, err5, err6} {
				if err == nil || !strings.Contains(err.Error(), "Limits") {
					t.Errorf("%+v, %d: %v", limits, i, err)
				}
			}
		}
	})
}
