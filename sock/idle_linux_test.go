//go:build linux

package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

// TestDrainAwaitsWhoIsSilent: of the loop that SetIdle's comment shows, a client that has connected and spoken by the
// drain's fifth second loses nothing, nor does one that has sent a part of its next request; one that says nothing is
// told then, and one that has spoken before at once.
func TestDrainAwaitsWhoIsSilent(t *testing.T) {
	var told []time.Duration // when readers heard of the drain
	sim.Run(t, 1, func(w *sim.World) {
		const addr = "a:7000"
		begun := time.Duration(0)
		answer := func(c *sock.Conn) {
			r := bufio.NewReader(c)
			for {
				c.SetIdle(true)
				line, err := r.ReadString('\n')
				if errors.Is(err, ringo.ErrDraining) {
					told = append(told, (w.Elapsed() - begun).Round(time.Second))
				}
				if err != nil {
					return
				}
				c.SetIdle(false)
				io.WriteString(c, line)
			}
		}
		server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", addr)
			if err != nil {
				return err
			}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return nil
				}
				l.Go(func() { defer c.Close(); answer(c) })
			}
		})
		client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
			l.Sleep(time.Second)
			var all [4]*sock.Conn // has spoken, will speak, is silent, is in the midst of it
			for i := range all {
				c, err := sock.Dial(l, "tcp", addr)
				if err != nil {
					return err
				}
				defer c.Close()
				c.SetDeadline(l.Now().Add(patience.Max))
				all[i] = c
			}
			say := func(c *sock.Conn, text string) {
				if _, err := io.WriteString(c, text); err != nil {
					t.Error(err)
				}
			}
			asks := func(c *sock.Conn, text string) {
				line := make([]byte, 6)
				say(c, text)
				if _, err := io.ReadFull(c, line); err != nil || string(line) != "hello\n" {
					t.Errorf("asked hello, got %q, %v", line, err)
				}
			}
			asks(all[0], "hello\n")
			asks(all[3], "hello\n")
			say(all[3], "hel")
			l.Sleep(time.Second)
			begun = w.Elapsed()
			server.Drain()
			l.Sleep(3 * time.Second)
			asks(all[1], "hello\n")
			l.Sleep(time.Second)
			asks(all[3], "lo\n")
			_, err := all[2].Read(make([]byte, 1))
			if err != io.EOF {
				t.Errorf("the silent client reads %v, want the end", err)
			}
			return nil
		})
		w.Check(w.Wait(client))
		w.Check(w.Wait(server))
	})
	if want := []time.Duration{0, 3 * time.Second, 4 * time.Second, 5 * time.Second}; !slices.Equal(told, want) {
		t.Errorf("readers heard of the drain after %v, want %v", told, want)
	}
}

// askers asks each for "hello\n", of which a part has come, by two calls between which they pause, or by one.
var askers = map[string]func(c *sock.Conn, pause func() *sock.Conn) (string, error){
	"Read": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		b := make([]byte, 6)
		n, err := c.Read(b)
		c = pause()
		if err == nil {
			_, err = io.ReadFull(c, b[n:])
		}
		return string(b), err
	},
	"ReadV": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		b := make([]byte, 6)
		n, err := c.ReadV([][]byte{b[:1], b[1:]})
		c = pause()
		if err == nil {
			_, err = c.ReadV([][]byte{b[n:]})
		}
		return string(b), err
	},
	"Next": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		first, err := c.Next()
		if err != nil {
			return "", err
		}
		defer first.Release()
		c = pause()
		second, err := c.Next()
		if err != nil {
			return "", err
		}
		defer second.Release()
		return string(first.Bytes()) + string(second.Bytes()), nil
	},
	"Peek": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		if _, err := c.Peek(3); err != nil {
			return "", err
		}
		c = pause()
		p, err := c.Peek(6)
		return string(p), err
	},
	"Discard": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		if _, err := c.Discard(3); err != nil {
			return "", err
		}
		c = pause()
		_, err := c.Discard(3)
		return "hello\n", err
	},
	"one Peek": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		p, err := c.Peek(6)
		return string(p), err
	},
	"one Discard": func(c *sock.Conn, pause func() *sock.Conn) (string, error) {
		_, err := c.Discard(6)
		return "hello\n", err
	},
}

// idleServer runs a program of two loops on host a, which serves a connection that has been accepted and is idle.
func idleServer(w *sim.World, serve func(l *ringo.Loop, c *sock.Conn)) *sim.Program {
	return w.Host("a").Run(&ringo.Config{Loops: 2, Grace: time.Minute}, func(l *ringo.Loop) error {
		l.Go(func() { l.Sleep(15 * time.Second) }) // a loop that ends takes what is open along
		if l != l.Loops()[0] {
			return nil
		}
		ln, err := sock.Listen(l, "tcp", "a:7000")
		if err != nil {
			return err
		}
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		c.SetIdle(false)
		c.SetIdle(true)
		serve(l, c)
		return nil
	})
}

// TestDrainAwaitsTheRest: whatever has brought a part of a request, and whoever has read it, its rest has five seconds
// when the drain comes before it is asked for, or while it is, or before the part; and no more.
func TestDrainAwaitsTheRest(t *testing.T) {
	const drain = 2 * time.Second
	for _, c := range []struct {
		name           string
		foreign, moves bool
		part, rest     time.Duration // when they are sent
		first, second  time.Duration // when they are asked for
		told           time.Duration // when the reader hears of the drain; 0: it need not
	}{
		{name: "while it is asked for", part: 1 * time.Second, rest: 6 * time.Second},
		{name: "before it is asked for", part: 1 * time.Second, rest: 6 * time.Second, second: 3 * time.Second},
		{name: "before the part is", part: 1 * time.Second, rest: 6 * time.Second, first: 3 * time.Second},
		{name: "before the part", part: 3 * time.Second, rest: 8 * time.Second, first: 4 * time.Second},
		{name: "of another loop", foreign: true, part: 1 * time.Second, rest: 6 * time.Second, second: 3 * time.Second},
		{name: "of another loop, before the part", foreign: true, part: 3 * time.Second, rest: 8 * time.Second,
			first: 4 * time.Second},
		{name: "moved before", moves: true, part: 1 * time.Second, rest: 6 * time.Second,
			second: 1500 * time.Millisecond},
		{name: "moved behind", moves: true, part: 3 * time.Second, rest: 7 * time.Second, first: 4 * time.Second},
		{name: "too late", part: 1 * time.Second, rest: 8 * time.Second, told: 7 * time.Second},
		{name: "too late, part behind", part: 3 * time.Second, rest: 20 * time.Second, first: 4 * time.Second,
			told: 9 * time.Second},
		{name: "too late, of another loop", foreign: true, part: 1 * time.Second, rest: 8 * time.Second,
			second: 3 * time.Second, told: 7 * time.Second},
	} {
		for name, ask := range askers {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				sim.Run(t, 1, func(w *sim.World) {
					var got string
					var err error
					var at time.Duration // when it was got, or not
					until := func(l *ringo.Loop, at time.Duration) { l.Sleep(at - w.Elapsed()) }
					read := func(l *ringo.Loop, conn *sock.Conn) {
						defer func() { conn.Close() }()
						until(l, c.first)
						got, err = ask(conn, func() *sock.Conn {
							if c.moves {
								if moved, err := conn.MoveTo(l.Loops()[1]); err != nil {
									t.Error(err)
								} else {
									conn = moved
								}
							}
							until(l, c.second)
							return conn
						})
						at = w.Elapsed()
					}
					server := idleServer(w, func(l *ringo.Loop, conn *sock.Conn) {
						if c.foreign {
							l = l.Loops()[1]
						}
						l.Go(func() { read(l, conn) })
					})
					client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
						until(l, 500*time.Millisecond)
						conn, err := sock.Dial(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						defer conn.Close()
						l.Go(func() {
							until(l, drain)
							server.Drain()
						})
						until(l, c.part)
						io.WriteString(conn, "hel")
						until(l, c.rest)
						io.WriteString(conn, "lo\n")
						return nil
					})
					w.Check(w.Wait(client))
					w.Check(w.Wait(server))
					switch {
					case c.told != 0:
						if !errors.Is(err, ringo.ErrDraining) || at.Round(time.Second) != c.told {
							t.Errorf("got %q, %v after %v, want ErrDraining after %v", got, err, at, c.told)
						}
					case err != nil || got != "hello\n":
						t.Errorf("got %q, %v after %v", got, err, at)
					}
				})
			})
		}
	}
}

// TestTrickleHoldsNoDrain: a peer that goes on sending a little, and never all that is asked for, holds the drain up
// for five seconds, and then the reader is told of the drain and of nothing else.
func TestTrickleHoldsNoDrain(t *testing.T) {
	asks := map[string]func(c *sock.Conn) error{
		"Read": func(c *sock.Conn) error {
			_, err := io.ReadFull(c, make([]byte, 10_000))
			return err
		},
		"Peek":    func(c *sock.Conn) error { _, err := c.Peek(10_000); return err },
		"Discard": func(c *sock.Conn) error { _, err := c.Discard(10_000); return err },
	}
	for name, ask := range asks {
		for _, loop := range []int{0, 1} {
			t.Run(fmt.Sprint(name, "/", loop), func(t *testing.T) {
				sim.Run(t, 1, func(w *sim.World) {
					server := idleServer(w, func(l *ringo.Loop, c *sock.Conn) {
						l.Loops()[loop].Go(func() {
							defer c.Close()
							if err := ask(c); !errors.Is(err, ringo.ErrDraining) {
								w.Errorf("got %v, want ErrDraining", err)
							}
							if at := w.Elapsed().Round(time.Second); at != 7*time.Second {
								w.Errorf("the reader was told after %v, five seconds behind the drain are 7s", at)
							}
						})
					})
					client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
						l.Sleep(500 * time.Millisecond)
						c, err := sock.Dial(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						defer c.Close()
						l.Go(func() {
							l.Sleep(2*time.Second - w.Elapsed())
							server.Drain()
						})
						for err == nil && w.Elapsed() < 12*time.Second {
							_, err = c.Write([]byte("x"))
							l.Sleep(100 * time.Millisecond)
						}
						return nil
					})
					w.Check(w.Wait(client))
					w.Check(w.Wait(server))
				})
			})
		}
	}
}

// TestLastLook: what has come by the time that a reader asks is read although the program drains, and although the loop
// has not looked since.
func TestLastLook(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, n := range []int{1, 6, 5000} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cfg.Loops, cfg.Grace = 1, patience.Max
				err := socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
					c, peer := connect(t, l)
					defer peer.Close()
					defer c.Close()
					c.SetIdle(false)
					p := make([]byte, n)
					send(t, peer, string(p))
					if _, err := io.ReadFull(c, p); err != nil {
						t.Errorf("the first: %v", err)
					}
					cancel()
					l.Draining().Recv()
					send(t, peer, string(p)) // by this thread: the loop has no turn
					for queued(t, peer, unix.TIOCOUTQ) > 0 {
						runtime.Gosched()
					}
					c.SetIdle(true)
					if _, err := io.ReadFull(c, p); err != nil {
						t.Errorf("what came behind the drain: %v", err)
					}
					c.SetIdle(false)
					c.SetIdle(true)
					if n, err := c.Read(p); !errors.Is(err, ringo.ErrDraining) {
						t.Errorf("Read = %d, %v, want ErrDraining", n, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
}
