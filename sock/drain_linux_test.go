//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// drainServers serve frames, each in one of the ways that there are to accept.
var drainServers = map[string]func(t *testing.T) func(*ringo.Loop, *sock.Listener) error{
	"Serve": func(*testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perRequest(&sock.Handler{Request: frames})
	},
	"a task a connection": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perConn(func(c *sock.Conn) { answerFrame(t, c) })
	},
	"goroutines": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return func(l *ringo.Loop, ln *sock.Listener) error {
			offloaded(t, l, func() error {
				var serving sync.WaitGroup
				defer serving.Wait()
				for {
					c, err := ln.Accept()
					if err != nil {
						wantClosed(t, "Accept", err)
						return nil
					}
					serving.Go(func() {
						defer c.Close()
						answerFrame(t, c)
					})
				}
			})
			return nil
		}
	},
}

// answerFrame sends one frame back, or sees a peer go that sends none.
func answerFrame(t *testing.T, c net.Conn) {
	p := make([]byte, len(drainFrame))
	if n, err := io.ReadFull(c, p); err != nil {
		if n > 0 || err != io.EOF {
			t.Errorf("the server reads %d bytes, %v", n, err)
		}
		return
	}
	if _, err := c.Write(p); err != nil {
		t.Error(err)
	}
}

// holdingAll is holding of several loops.
func holdingAll(t *testing.T, loops []*ringo.Loop, f func()) {
	if len(loops) == 0 {
		f()
		return
	}
	holding(t, loops[0], func() { holdingAll(t, loops[1:], f) })
}

var drainFrame = framed(500)

// Who had connected when the drain began is answered: accepted by then or not, whether the request was there, half of
// it, or nothing.
func TestDrainServesWhoHasConnected(t *testing.T) {
	t.Parallel()
	const peers = 10
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, server := range drainServers {
			for loops := 1; loops <= 2; loops++ {
				t.Run(fmt.Sprint(name, ", loops ", loops), func(t *testing.T) {
					cfg := cfg
					cfg.Loops, cfg.Grace = loops, patience.Max
					s := serve(t, cfg, server(t))
					const half = 100
					var silent, halfway, spoken []tcpPeer
					connect := func() {
						for range peers {
							silent = append(silent, s.dial())
							p := s.dial()
							send(t, p, string(drainFrame[:half]))
							halfway = append(halfway, p)
							p = s.dial()
							send(t, p, string(drainFrame))
							spoken = append(spoken, p)
						}
					}
					connect() // and most are accepted soon
					holdingAll(t, s.loops, func() {
						connect() // and nobody is
						s.cancel()
					})
					eventually(t, "the port to be free", func() bool {
						c, err := net.Dial("tcp", s.addr)
						if err == nil {
							c.Close()
						}
						return errors.Is(err, posix.ECONNREFUSED)
					})
					for _, p := range silent {
						send(t, p, string(drainFrame))
					}
					for _, p := range halfway {
						send(t, p, string(drainFrame[half:]))
					}
					kinds := map[string][]tcpPeer{"silent": silent, "halfway": halfway, "spoken": spoken}
					for kind, peers := range kinds {
						for i, p := range peers {
							if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, drainFrame) {
								t.Errorf("%s peer %d got %d bytes of its answer, %v", kind, i, len(got), err)
							}
							p.Close()
						}
					}
					s.stop()
				})
			}
		}
	})
}

// ListenAndServe, and servers on goroutines, end at once where those who wait for requests say that they are idle, and
// as late as Grace where they don't.
func TestIdleConnectionsDoNotHoldTheDrain(t *testing.T) {
	t.Parallel()
	const peers = 20
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = time.Hour
		var begun atomic.Int32
		answer := func(t *testing.T, c *sock.Conn) {
			for {
				c.SetIdle(true)
				p := make([]byte, len(drainFrame))
				if _, err := io.ReadFull(c, p[:1]); err != nil {
					if !errors.Is(err, ringo.ErrDraining) {
						t.Errorf("an idle Read: %v", err)
					}
					c.Write([]byte("bye"))
					return
				}
				c.SetIdle(false)
				begun.Add(1)
				if _, err := io.ReadFull(c, p[1:]); err != nil {
					t.Errorf("a busy Read: %v", err)
					return
				}
				c.Write(p)
			}
		}
		run := map[string]func(ctx context.Context, t *testing.T, addr chan string) error{
			"ListenAndServe": func(ctx context.Context, t *testing.T, addr chan string) error {
				at := freeAddr(t)
				addr <- at
				return sock.ListenAndServe(ctx, &cfg, "tcp", at, func(c *sock.Conn) { answer(t, c) })
			},
			"goroutines": func(ctx context.Context, t *testing.T, addr chan string) error {
				return socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
					ln := listen(t, l)
					addr <- ln.Addr().String()
					return l.Offload(func(context.Context) error {
						var serving sync.WaitGroup
						defer serving.Wait()
						for {
							c, err := ln.AcceptConn()
							if err != nil {
								wantClosed(t, "Accept", err)
								return nil
							}
							serving.Go(func() {
								defer c.Close()
								answer(t, c)
							})
						}
					})
				})
			},
		}
		for name, run := range run {
			t.Run(name, func(t *testing.T) {
				ctx, drain := context.WithCancel(context.Background())
				defer drain()
				addr, ended := make(chan string, 1), make(chan error, 1)
				go func() { ended <- run(ctx, t, addr) }()
				at := <-addr
				var all []net.Conn
				for range peers {
					var c net.Conn
					eventually(t, "the server listens", func() (ok bool) {
						var err error
						c, err = net.Dial("tcp", at)
						return err == nil
					})
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					send(t, c, string(drainFrame))
					got := make([]byte, len(drainFrame))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, drainFrame) {
						t.Fatalf("the answer: %v", err)
					}
					all = append(all, c)
				}
				const half = 100
				busy := all[0]
				before := begun.Load()
				send(t, busy, string(drainFrame[:half]))
				eventually(t, "the server is busy", func() bool { return begun.Load() > before })
				drain()
				for _, c := range all[1:] {
					if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
						t.Errorf("an idle peer reads %q, %v", got, err)
					}
				}
				send(t, busy, string(drainFrame[half:]))
				if got, err := io.ReadAll(busy); err != nil || string(got) != string(drainFrame)+"bye" {
					t.Errorf("the busy peer reads %d bytes, %v", len(got), err)
				}
				patience.Within("the server's end", func() {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				})
			})
		}
	})
}
