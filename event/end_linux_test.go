//go:build linux

package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// active is what may be active.
type active interface {
	Ref()
	Unref()
}

// endless is what never ends by itself, by name: each begins it, and gives what makes it tell.
var endless = map[string]func(t *testing.T, l *event.Loop, told func()) (poke func(), begun []active){
	"Every": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() {}, []active{l.Every(time.Millisecond, told)}
	},
	"Idle": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() {}, []active{l.Idle(told)}
	},
	"Check and Prepare": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		return func() { l.Post(func() {}) }, []active{l.Check(func() {}), l.Prepare(told)}
	},
	"Waker": func(_ *testing.T, l *event.Loop, told func()) (func(), []active) {
		w := l.NewWaker(told)
		return w.Wake, []active{w}
	},
	"Signal": func(t *testing.T, l *event.Loop, told func()) (func(), []active) {
		s, err := l.Signal(func(os.Signal) { told() }, syscall.SIGUSR1)
		if err != nil {
			t.Fatal(err)
		}
		return func() { syscall.Kill(os.Getpid(), syscall.SIGUSR1) }, []active{s}
	},
	"Poll": func(t *testing.T, l *event.Loop, told func()) (func(), []active) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		var begun []active
		for range 2 {
			p, err := l.Poll(r, sock.Readable, func(sock.Interest, error) { told() })
			if err != nil {
				t.Fatal(err)
			}
			begun = append(begun, p)
		}
		return func() { w.Write([]byte("x")) }, begun
	},
}

// drained runs body on a loop whose Run drains as soon as drain is called, and wants Wait to return before Grace is
// over.
func drained(t *testing.T, cfg ringo.Config, body func(l *event.Loop, drain func())) {
	t.Helper()
	cfg.Grace = patience.Max / 3
	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	patience.Within(t.Name(), func() {
		if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			e := event.On(l)
			body(e, drain)
			if err := e.Wait(); err != nil {
				t.Errorf("Wait: %v", err)
			}
			socktest.Settle(t, l)
			return nil
		}); err != nil {
			t.Error("Run:", err)
		}
	})
}

// A drain ends what never ends by itself, whether it begins while somebody waits for the end or before.
func TestDrain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range endless {
			if t.Failed() { // which takes all of Grace
				return
			}
			t.Run(name, func(t *testing.T) {
				drained(t, cfg, func(l *event.Loop, drain func()) {
					begin(t, l, func() {})
					l.Post(drain)
				})
				drained(t, cfg, func(l *event.Loop, drain func()) {
					drain()
					l.Ringo().Draining().Recv()
					begin(t, l, func() {})
				})
			})
		}
	})
}

// As long as a connection is open in a drain, all goes on that it may need; behind its end nothing holds the loop.
func TestDrainBehindConnection(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range endless {
			if t.Failed() {
				return
			}
			t.Run(name, func(t *testing.T) {
				var why error
				drained(t, cfg, func(l *event.Loop, drain func()) {
					toldOf := make(chan bool, 1)
					poke, _ := begin(t, l, func() {
						select {
						case toldOf <- true:
						default:
						}
					})
					ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
						data: func(c *event.Conn, p []byte) int {
							c.Write(p)
							return len(p)
						},
						close: func(_ *event.Conn, err error) { why = err },
					})
					if err != nil {
						t.Fatal(err)
					}
					outside(t, l, func() error {
						c, err := net.DialTimeout("tcp", ln.Addr().String(), patience.Max)
						if err != nil {
							return err
						}
						defer c.Close()
						c.SetDeadline(patience.Deadline())
						echo := func() error {
							_, err := c.Write([]byte("hello"))
							return errors.Join(err, socktest.WantBytes(c, []byte("hello")))
						}
						if err := echo(); err != nil {
							return err
						}
						drain()
						l.Ringo().Draining().Recv()
						for range 2 { // the first may be from before
							poke()
							if _, err := patience.Receive(toldOf); err != nil {
								return fmt.Errorf("not told any more: %w", err)
							}
						}
						return echo()
					})
				})
				if why != io.EOF {
					t.Errorf("closed with %v, want the peer's end", why)
				}
			})
		}
	})
}

// What ends by itself a drain waits for: a timer of AfterFunc, work of Go. A callback that does not return, and is the
// last, keeps nobody from seeing that it was.
func TestDrainWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		called, ended := false, false
		drained(t, cfg, func(l *event.Loop, drain func()) {
			l.Every(time.Hour, func() {})
			drain()
			l.AfterFunc(20*time.Millisecond, func() { called = true })
			event.Go(l, func() (bool, error) { return true, l.Ringo().Sleep(20 * time.Millisecond) },
				func(ok bool, err error) { ended = ok && err == nil })
			l.AfterFunc(40*time.Millisecond, func() { panic("oops") })
		})
		if !called || !ended {
			t.Errorf("the timer called: %v; the work has ended: %v", called, ended)
		}
	})
}

// Nobody is waited for who does not wait: without a Wait a drain ends nothing.
func TestDrainWithoutWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		drained(t, cfg, func(l *event.Loop, drain func()) {
			ticks := ringo.NewChan[bool](1)
			l.Every(time.Millisecond, func() { ticks.TrySend(true) })
			drain()
			l.Ringo().Draining().Recv()
			for range 3 {
				if _, err := ticks.Recv(); err != nil {
					t.Error("no more ticks:", err)
				}
			}
		})
	})
}

// reconnects are programs that begin again whatever ends: opened is to be called when it goes on, again when it ends.
var reconnects = map[string]func(t *testing.T, l *event.Loop, addr string, opened, again func()){
	"Dial": func(_ *testing.T, l *event.Loop, addr string, opened, again func()) {
		l.Dial("tcp", addr, &funcs{open: func(*event.Conn) { opened() }, close: func(*event.Conn, error) { again() }})
	},
	"Dial to nobody": func(_ *testing.T, l *event.Loop, _ string, opened, again func()) {
		l.Dial("tcp", "127.0.0.1:1", &funcs{close: func(*event.Conn, error) { opened(); again() }})
	},
	"Dial by a timer": func(_ *testing.T, l *event.Loop, addr string, opened, again func()) {
		l.Dial("tcp", addr, &funcs{open: func(*event.Conn) { opened() },
			close: func(*event.Conn, error) { l.AfterFunc(time.Millisecond, again) }})
	},
	"Dial by Go": func(_ *testing.T, l *event.Loop, addr string, opened, again func()) {
		l.Dial("tcp", addr, &funcs{open: func(*event.Conn) { opened() }, close: func(*event.Conn, error) {
			event.Go(l, func() (int, error) { l.Ringo().Yield(); return 0, nil }, func(int, error) { again() })
		}})
	},
	"Dial by Post": func(_ *testing.T, l *event.Loop, addr string, opened, again func()) {
		l.Dial("tcp", addr, &funcs{open: func(*event.Conn) { opened() },
			close: func(*event.Conn, error) { l.Post(again) }})
	},
	"DialPacket": func(_ *testing.T, l *event.Loop, addr string, opened, again func()) {
		l.DialPacket("udp", addr, &packets{open: func(*event.PacketConn) { opened() },
			close: func(*event.PacketConn, error) { again() }})
	},
	"Receive": func(t *testing.T, l *event.Loop, _ string, opened, again func()) {
		s, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Receive(s, &packets{open: func(*event.PacketConn) { opened() },
			close: func(*event.PacketConn, error) { again() }})
	},
	"Accept": func(_ *testing.T, l *event.Loop, _ string, opened, again func()) {
		ln, err := sock.Listen(l.Ringo(), "tcp", "127.0.0.1:0")
		if err != nil { // in a drain
			return
		}
		l.Accept(ln, event.Base{}).OnClose(func(error) { again() })
		l.Post(opened)
	},
	"Go": func(_ *testing.T, l *event.Loop, _ string, opened, again func()) {
		event.Go(l, func() (int, error) { return 0, l.Ringo().Sleep(time.Hour) }, func(int, error) { again() })
		l.Post(opened)
	},
}

// What begins again whatever ends keeps no loop from ending: behind Stop, when Grace is over, and in a drain.
func TestStopEndsReconnects(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range reconnects {
			for _, way := range []string{"Stop", "Stop in Run", "Grace", "Grace in Run"} {
				inRun := way == "Stop in Run" || way == "Grace in Run"
				if inRun && name == "Dial by Post" { // which is of tasks, and for these a Run waits
					continue
				}
				t.Run(name+"/"+way, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					cfg := cfg
					cfg.Grace = 5 * time.Millisecond
					begun, over := 0, false
					body := func(l *event.Loop) error {
						ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
						if err != nil {
							return err
						}
						stopping := false
						opened := func() {
							if stopping {
								return
							}
							stopping = true
							if way == "Stop" || way == "Stop in Run" {
								l.Stop()
							} else {
								cancel()
							}
						}
						var again func()
						again = func() {
							if stopping {
								begun++
							}
							if over || begun > 10_000 {
								l.Stop()
								return
							}
							begin(t, l, ln.Addr().String(), opened, again)
						}
						again()
						return nil
					}
					if inRun {
						patience.Within(t.Name(), func() { event.Run(ctx, &cfg, body) })
					} else {
						patience.Within(t.Name(), func() {
							ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
								e := event.On(l)
								if err := body(e); err != nil {
									return err
								}
								e.Wait()
								over = true
								socktest.Settle(t, l)
								return nil
							})
						})
					}
					if begun > 10_000 {
						t.Errorf("%d were begun behind the end", begun)
					}
				})
			}
		}
	})
}

// What is begun when the loop was stopped is refused, and whoever can be told is told; behind the end all is as before.
func TestRefusedBehindStop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		told := map[string]error{}
		called := func() { t.Error("called behind Stop") }
		onLoop(t, cfg, func(l *event.Loop) {
			ours, err := sock.Listen(l.Ringo(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			socket, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			refused := func() {
				for name, f := range map[string]func() error{
					"Listen": func() error { _, err := l.Listen("tcp", "127.0.0.1:0", event.Base{}); return err },
					"ListenPacket": func() error {
						_, err := l.ListenPacket("udp", "127.0.0.1:0", event.PacketBase{})
						return err
					},
					"Poll": func() error {
						_, err := l.Poll(w, sock.Writable, func(sock.Interest, error) { called() })
						return err
					},
					"Signal": func() error {
						_, err := l.Signal(func(os.Signal) { called() }, syscall.SIGUSR1)
						return err
					},
				} {
					if err := f(); err != event.ErrStopped {
						t.Errorf("%s: %v, want ErrStopped", name, err)
					}
				}
				timer := l.AfterFunc(0, called)
				if timer.Reset(0) || timer.Stop() || l.Every(time.Millisecond, called).Stop() {
					t.Error("a timer is active")
				}
				l.Idle(called)
				l.Check(called)
				l.Prepare(called)
				l.NewWaker(called).Wake()
				c := l.Dial("tcp", "127.0.0.1:1", &funcs{close: func(c *event.Conn, err error) {
					told["Dial"] = err
					l.Dial("tcp", "127.0.0.1:1", &funcs{close: func(*event.Conn, error) { called() }}).Close()
				}})
				c.Close()
				c.Unref()
				c.Ref()
				if c.LocalAddr() != nil || c.Write([]byte("x")) == nil {
					t.Error("a connection that was refused has an address, or takes bytes")
				}
				l.DialPacket("udp", "127.0.0.1:1", &packets{close: func(_ *event.PacketConn, err error) {
					told["DialPacket"] = err
				}}).Close()
				l.Receive(socket, &packets{close: func(_ *event.PacketConn, err error) { told["Receive"] = err }})
				l.Accept(ours, event.Base{}).OnClose(func(err error) { told["Accept"] = err })
				event.Go(l, func() (int, error) { called(); return 0, nil }, func(_ int, err error) {
					told["Go"] = err
				}).Cancel()
			}
			l.DialPacket("udp", "127.0.0.1:1", &packets{open: func(*event.PacketConn) { l.Stop(); refused() }})
			if err := l.Wait(); err != nil {
				t.Error("Wait:", err)
			}
			for _, name := range []string{"Dial", "DialPacket", "Receive", "Accept", "Go"} {
				if told[name] != event.ErrStopped {
					t.Errorf("%s: told %v, want ErrStopped", name, told[name])
				}
			}
			ticked := false
			l.AfterFunc(0, func() { ticked = true })
			if l.Wait(); !ticked {
				t.Error("nothing can be begun behind the end")
			}
		})
	})
}

// What Unref was called for goes on and holds nobody up, Ref takes that back, and an end in between leaves nothing
// counted wrongly.
func TestUnref(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(t *testing.T, l *event.Loop) []active{
		"AfterFunc": func(_ *testing.T, l *event.Loop) []active {
			return []active{l.AfterFunc(time.Hour, func() {})}
		},
		"Go": func(_ *testing.T, l *event.Loop) []active {
			sleep := func() (int, error) { return 0, l.Ringo().Sleep(time.Hour) }
			return []active{event.Go(l, sleep, func(int, error) {})}
		},
		"Listener": func(t *testing.T, l *event.Loop) []active {
			ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
			if err != nil {
				t.Fatal(err)
			}
			return []active{ln}
		},
		"PacketConn": func(t *testing.T, l *event.Loop) []active {
			c, err := l.ListenPacket("udp", "127.0.0.1:0", event.PacketBase{})
			if err != nil {
				t.Fatal(err)
			}
			return []active{c, l.DialPacket("udp", "127.0.0.1:9", event.PacketBase{})}
		},
		"Conn": func(t *testing.T, l *event.Loop) []active {
			return []active{l.Dial("tcp", socktest.Silent(t), event.Base{})}
		},
	}
	for name, begin := range endless {
		kinds[name] = func(t *testing.T, l *event.Loop) []active {
			_, begun := begin(t, l, func() {})
			return begun
		}
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range kinds {
			t.Run(name, func(t *testing.T) {
				onLoop(t, cfg, func(l *event.Loop) {
					for range 2 {
						begun := begin(t, l)
						for _, a := range begun {
							a.Unref()
							a.Ref()
							a.Ref()
							a.Unref()
							a.Unref()
						}
						if err := l.Wait(); err != nil {
							t.Error("Wait:", err)
						}
						begun[0].Ref()
						stopped := false
						l.Ringo().Go(func() {
							stopped = true
							l.Stop()
						})
						if l.Wait(); !stopped {
							t.Error("Wait does not wait behind Ref")
						}
						for _, a := range begun {
							a.Unref()
							a.Ref()
						}
					}
					for _, a := range begin(t, l) {
						a.Unref()
					}
					l.Stop()
					l.Wait()
					called := false
					l.AfterFunc(20*time.Millisecond, func() { called = true })
					if l.Wait(); !called {
						t.Error("Wait does not wait for others behind an end")
					}
					again := l.AfterFunc(time.Hour, func() {})
					again.Unref()
					again.Stop()
					again.Reset(time.Hour)
					l.Wait()
					again.Stop()
				})
			})
		}
	})
}

// A callback of what nobody waits for comes as long as something else is active, and may have the loop go on.
func TestUnrefGoesOn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, begin := range endless {
			t.Run(name, func(t *testing.T) {
				told := 0
				onLoop(t, cfg, func(l *event.Loop) {
					var hold *event.Timer
					poke, begun := begin(t, l, func() {
						if told++; told == 3 {
							hold.Stop()
						}
					})
					l.Every(time.Millisecond, poke).Unref()
					hold = l.AfterFunc(time.Hour, func() {})
					for _, a := range begun {
						a.Unref()
					}
					if err := l.Wait(); err != nil {
						t.Error("Wait:", err)
					}
					l.Stop()
				})
				if told < 3 {
					t.Errorf("told %d times", told)
				}
			})
		}
	})
}

// Run ends what nobody waits for, and connections are told.
func TestRunStopsUnref(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		closed := map[string]error{}
		if err := event.Run(context.Background(), &cfg, func(l *event.Loop) error {
			var server, client *event.Conn
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
				open: func(c *event.Conn) {
					server = c
					c.Write([]byte("hello"))
				},
				close: func(_ *event.Conn, err error) { closed["server"] = err },
			})
			if err != nil {
				return err
			}
			ln.OnClose(func(err error) { closed["listener"] = err })
			l.Ringo().Go(func() { // behind the end of all that, which takes as long as it takes
				for i := 0; i < 20_000 && len(closed) < 3; i++ {
					l.Ringo().Sleep(time.Millisecond)
				}
				l.Ringo().Sleep(time.Millisecond)
				l.Every(time.Hour, func() {}).Unref()
				late, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
				if err != nil {
					t.Error(err)
					return
				}
				late.OnClose(func(err error) { closed["late"] = err })
				late.Unref()
			})
			client = l.Dial("tcp", ln.Addr().String(), &funcs{
				data: func(_ *event.Conn, p []byte) int {
					for _, a := range []active{ln, server, client, l.Every(time.Hour, func() {})} {
						a.Unref()
					}
					return len(p)
				},
				close: func(_ *event.Conn, err error) { closed["client"] = err },
			})
			return nil
		}); err != nil {
			t.Fatal("Run:", err)
		}
		if closed["server"] != event.ErrStopped || closed["client"] != event.ErrStopped ||
			!errors.Is(closed["listener"], net.ErrClosed) || !errors.Is(closed["late"], net.ErrClosed) {
			t.Errorf("closed with %v", closed)
		}
	})
}

// A Stop of nothing does not end what begins behind it.
func TestStopOfNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why error = errors.New("not told")
		onLoop(t, cfg, func(l *event.Loop) {
			l.Stop()
			addr := listenOnce(t, l, &funcs{close: func(_ *event.Conn, err error) { why = err }})
			l.Dial("tcp", addr, &funcs{open: func(c *event.Conn) { c.Close() }})
		})
		if why != io.EOF {
			t.Errorf("closed with %v, want the peer's end", why)
		}
	})
}

// What has been made, and ends before that could be told, is told of all the same: OnOpen, then OnClose.
func TestEndedBeforeItOpens(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, l *event.Loop, h *funcs, p *packets){
		"Adopt and Abort": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h).Abort()
		},
		"Adopt and Close": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h).Close()
		},
		"Adopt and Stop": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			adopt(t, l, h)
			l.Stop()
		},
		"Adopt behind Stop": func(t *testing.T, l *event.Loop, h *funcs, _ *packets) {
			c := dialSock(t, l)
			l.Stop()
			if _, err := l.Adopt(c, h); err != nil {
				t.Fatal(err)
			}
		},
		"Receive and Close": func(t *testing.T, l *event.Loop, _ *funcs, p *packets) {
			s, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Receive(s, p).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *event.Loop) {
					told := ""
					beside := l.AfterFunc(time.Hour, func() {}) // for which Wait waits until play has begun
					l.Ringo().Go(func() {
						defer beside.Stop()
						play(t, l, &funcs{open: func(*event.Conn) { told += "opened " },
							close: func(*event.Conn, error) { told += "closed " }},
							&packets{open: func(*event.PacketConn) { told += "opened " },
								close: func(*event.PacketConn, error) { told += "closed " }})
					})
					l.Wait()
					if told != "opened closed " {
						t.Errorf("told %q", told)
					}
				})
			})
		})
	}
}

// dialSock is a connection of tasks, whose peer goes with the test.
func dialSock(t *testing.T, l *event.Loop) *sock.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c, err := sock.Dial(l.Ringo(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func adopt(t *testing.T, l *event.Loop, h event.Handler) *event.Conn {
	t.Helper()
	c, err := l.Adopt(dialSock(t, l), h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The error that ends a listener is told: to OnClose, or where there is none by Wait. Its connections go on.
func TestListenerBreaks(t *testing.T) {
	for _, told := range []bool{true, false} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			var why error
			err := socktest.RunLoops(t, t.Context(), &cfg, func(r *ringo.Loop) error {
				l := event.On(r)
				s, err := sock.Listen(r, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				ln := l.Accept(s, event.Base{})
				if told {
					ln.OnClose(func(err error) { why = err })
				}
				raw, err := s.SyscallConn()
				if err != nil {
					return err
				}
				control := raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RD) })
				if control != nil || err != nil {
					return errors.Join(control, err)
				}
				err = l.Wait()
				if again := l.Wait(); again != nil {
					t.Errorf("Wait once more: %v", again)
				}
				return err
			})
			if told && err != nil || !told && !errors.Is(err, syscall.EINVAL) ||
				told != errors.Is(why, syscall.EINVAL) {
				t.Errorf("Run: %v, OnClose was told %v", err, why)
			}
		})
	}
}

// crowdedConn has a connection opened whose peer takes nothing, with something that waits for room, and closes it; then
// end is called, and told is what the function of the last write got.
func crowdedConn(t *testing.T, l *event.Loop, end func(c *event.Conn), told, why *error) {
	t.Helper()
	peer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	l.Dial("tcp", peer.Addr().String(), &funcs{
		open: func(c *event.Conn) {
			crowd(t, c)
			if err := c.WriteThen([]byte("x"), func(err error) { *told = err }); err != nil {
				t.Error(err)
			}
			c.Close()
			l.Post(func() { end(c) })
		},
		close: func(_ *event.Conn, err error) { *why = err },
	})
}

// What ends a loop ends connections that were closed before, too, and whose peers do not take what is left: they are
// told why it was dropped.
func TestEndOfClosed(t *testing.T) {
	stopped := func(err error) bool { return err == event.ErrStopped }
	for name, of := range map[string]struct {
		end  func(c *event.Conn, drain func())
		want func(error) bool
	}{
		"Stop":      {func(c *event.Conn, _ func()) { c.Loop().Stop() }, stopped},
		"Unref":     {func(c *event.Conn, _ func()) { c.Unref() }, stopped},
		"Grace":     {func(_ *event.Conn, drain func()) { drain() }, stopped},
		"OnTimeout": {func(c *event.Conn, _ func()) { event.Base{}.OnTimeout(c, event.ReadTimeout) }, isReadTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Grace = time.Millisecond
				ctx, drain := context.WithCancel(t.Context())
				defer drain()
				var told, why error
				patience.Within(t.Name(), func() {
					err := event.Run(ctx, &cfg, func(l *event.Loop) error {
						crowdedConn(t, l, func(c *event.Conn) { of.end(c, drain) }, &told, &why)
						return nil
					})
					if err != nil && name != "Grace" {
						t.Error("Run:", err)
					}
				})
				if !of.want(told) || !of.want(why) {
					t.Errorf("the write was told %v, closed with %v", told, why)
				}
			})
		})
	}
}

// drops are the ways in which a connection ends with something unsent. Those of files send a part of one.
var drops = map[string]func(t *testing.T, c *event.Conn, drain func()){
	"Abort":        func(_ *testing.T, c *event.Conn, _ func()) { muchUnsent(c); c.Abort() },
	"Close, Abort": func(_ *testing.T, c *event.Conn, _ func()) { muchUnsent(c); c.Close(); c.Abort() },
	"Stop":         func(_ *testing.T, c *event.Conn, _ func()) { muchUnsent(c); c.Loop().Stop() },
	"Close, Stop":  func(_ *testing.T, c *event.Conn, _ func()) { muchUnsent(c); c.Close(); c.Loop().Stop() },
	"Grace":        func(_ *testing.T, c *event.Conn, drain func()) { muchUnsent(c); drain() },
	"Close, Grace": func(_ *testing.T, c *event.Conn, drain func()) { muchUnsent(c); c.Close(); drain() },
	"left open":    func(_ *testing.T, c *event.Conn, drain func()) { muchUnsent(c); drain() },
	"OnTimeout": func(_ *testing.T, c *event.Conn, _ func()) {
		muchUnsent(c)
		event.Base{}.OnTimeout(c, event.WriteTimeout)
	},
	"panic": func(_ *testing.T, c *event.Conn, _ func()) { muchUnsent(c); panic("oops") },
	"accepted, Abort": func(t *testing.T, c *event.Conn, _ func()) {
		fillUp(t, c)
		c.Write(make([]byte, 4000))
		c.Abort()
	},
	"Abort beside Detach": func(_ *testing.T, c *event.Conn, _ func()) {
		muchUnsent(c)
		c.Loop().Ringo().Go(func() { c.Detach() })
		c.Loop().Ringo().Go(c.Abort)
	},
	"Abort behind Detach's end": func(_ *testing.T, c *event.Conn, _ func()) {
		c.SetMarks(1, 100<<20)
		c.WriteThen(make([]byte, 32<<20), func(error) { c.Abort() })
		c.Loop().Ringo().Go(func() { c.Detach() })
	},
	"a short file": func(t *testing.T, c *event.Conn, _ func()) {
		f := fileOf(t, 100_000)
		c.SendFile(f, 0, 200_000, nil)
	},
	"a file that can't be read": func(t *testing.T, c *event.Conn, _ func()) {
		c.Write([]byte("head"))
		c.SendFile(brokenFile{unresident(t)}, 0, 1<<20, nil)
	},
}

// muchUnsent writes more than two sockets hold.
func muchUnsent(c *event.Conn) {
	c.SetMarks(1, 100<<20)
	c.Write(make([]byte, 32<<20))
}

// fileOf is a file of so many bytes.
func fileOf(t *testing.T, size int) *os.File {
	t.Helper()
	f, err := os.Create(t.TempDir() + "/f")
	if err == nil {
		t.Cleanup(func() { f.Close() })
		_, err = f.Write(make([]byte, size))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// brokenFile is a file that can't be read.
type brokenFile struct{ *os.File }

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

// endOf has open called for a connection to a peer that reads once the Run has returned, and returns how that ended.
// If left is set the Run does not wait for the connection.
func endOf(t *testing.T, cfg ringo.Config, left bool, open func(c *event.Conn, drain func())) error {
	t.Helper()
	ctx, drain := context.WithCancel(t.Context())
	defer drain()
	type dialed struct {
		c   net.Conn
		err error
	}
	dials := make(chan dialed, 1)
	patience.Within(t.Name(), func() {
		ringo.Run(ctx, &cfg, func(r *ringo.Loop) error {
			l, opened := event.On(r), ringo.NewChan[bool](1)
			addr := listenOnce(t, l, &funcs{open: func(c *event.Conn) {
				opened.TrySend(true)
				open(c, drain)
			}})
			go func() {
				c, err := net.DialTimeout("tcp", addr, patience.Max)
				dials <- dialed{c, err}
			}()
			opened.Recv()
			if left {
				return nil
			}
			return l.Wait()
		})
	})
	d := <-dials
	if d.err != nil { // a dial that looks late sees the end
		return d.err
	}
	defer d.c.Close()
	d.c.SetDeadline(patience.Deadline())
	_, err := io.Copy(io.Discard, d.c)
	return err
}

// A peer that has not got all that was written sees a reset, and no end of the stream; one that has got all sees that.
func TestDroppedIsNoEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		cfg.Grace = time.Millisecond
		for name, drop := range drops {
			t.Run(name, func(t *testing.T) {
				err := endOf(t, cfg, name == "left open", func(c *event.Conn, drain func()) { drop(t, c, drain) })
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer sees %v, want ECONNRESET", err)
				}
			})
		}
		for name, end := range map[string]func(c *event.Conn){
			"Close": (*event.Conn).Close, "Abort": (*event.Conn).Abort, "Stop": func(c *event.Conn) { c.Loop().Stop() },
		} {
			if err := endOf(t, cfg, false, func(c *event.Conn, _ func()) {
				c.Write([]byte("all"))
				end(c)
			}); err != nil {
				t.Errorf("%s with all sent: the peer sees %v", name, err)
			}
		}
	})
}

// isReadTimeout reports whether err is that of a read that has timed out, and not of a close.
func isReadTimeout(err error) bool {
	var e *net.OpError
	return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &e) && e.Op == "read"
}

// A dial that was closed was ended by that, and not by a Stop behind it; an Abort likewise.
func TestStopBehindEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told error
		dial, abort := net.ErrClosed, net.ErrClosed
		onLoop(t, cfg, func(l *event.Loop) {
			c := l.Dial("tcp", socktest.Silent(t), &funcs{close: func(_ *event.Conn, err error) { dial = err }})
			crowdedConn(t, l, func(ending *event.Conn) {
				c.Close()
				ending.Abort()
				l.Stop()
			}, &told, &abort)
		})
		if dial != nil || abort != nil || !errors.Is(told, net.ErrClosed) {
			t.Errorf("the dial was closed with %v, the connection with %v, its write was told %v", dial, abort, told)
		}
	})
}

// What was accepted, and finds no room, is dropped like all else by what drops unsent bytes.
func TestEndOfAccepted(t *testing.T) {
	is := func(want error) func(error) bool { return func(err error) bool { return err == want } }
	for name, of := range map[string]struct {
		end  func(c *event.Conn)
		want func(error) bool
	}{
		"Abort":        {(*event.Conn).Abort, is(nil)},
		"Close, Abort": {func(c *event.Conn) { c.Close(); c.Abort() }, is(nil)},
		"Stop":         {func(c *event.Conn) { c.Loop().Stop() }, is(event.ErrStopped)},
		"Close, Stop":  {func(c *event.Conn) { c.Close(); c.Loop().Stop() }, is(event.ErrStopped)},
		"OnTimeout":    {func(c *event.Conn) { event.Base{}.OnTimeout(c, event.ReadTimeout) }, isReadTimeout},
		"panic":        {func(*event.Conn) { panic("oops") }, is(event.ErrNoReturn)},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				why := errors.New("not told")
				closed := make(chan bool)
				h := &funcs{
					open: func(c *event.Conn) { c.Write([]byte{0}) }, // so that the loop has memory to accept
					data: func(c *event.Conn, p []byte) int {
						fillUp(t, c)
						if err := c.Write(make([]byte, 4000)); err != nil || c.Unsent() != 0 {
							t.Errorf("Write: %v, %d bytes unsent: it was not accepted", err, c.Unsent())
						}
						of.end(c)
						return len(p)
					},
					close: func(_ *event.Conn, err error) {
						why = err
						close(closed)
					},
				}
				unixPair(t, cfg, h, func(peer net.Conn) error {
					if err := socktest.WantBytes(peer, []byte{0}); err != nil {
						return err
					}
					_, err := peer.Write([]byte{0})
					<-closed
					return err
				})
				if !of.want(why) {
					t.Errorf("closed with %v", why)
				}
			})
		})
	}
}

// What was accepted and can't be sent at the turn's end ends the connection, and is not sent once more by that.
func TestAcceptedFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 8000
		var why error
		var before, sends uint64
		h := &funcs{
			open: func(c *event.Conn) { c.Write([]byte{0}) },
			data: func(c *event.Conn, p []byte) int {
				if len(p) < size {
					return 0
				}
				raw, err := c.SyscallConn()
				if err == nil {
					raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
				}
				lease, err2 := c.Keep()
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
				} else if err := c.WriteLease(lease); err != nil {
					t.Error("it was not accepted:", err)
				}
				before = calls(c.Loop())
				return len(p)
			},
			close: func(c *event.Conn, err error) { why, sends = err, calls(c.Loop())-before },
		}
		unixPair(t, cfg, h, func(peer net.Conn) error {
			if err := socktest.WantBytes(peer, []byte{0}); err != nil {
				return err
			}
			peer.Write(make([]byte, size))
			return socktest.WantEOF(peer)
		})
		var e *net.OpError
		if !errors.Is(why, syscall.EPIPE) || !errors.As(why, &e) || e.Op != "write" || sends != 1 {
			t.Errorf("closed with %v behind %d sends, want 1", why, sends)
		}
	})
}

// unixPair is pair for a Unix socket.
func unixPair(t *testing.T, cfg ringo.Config, h event.Handler, play func(peer net.Conn) error) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		var ln *event.Listener
		ln, err := l.Listen("unix", t.TempDir()+"/s", &once{h, func() { ln.Close() }})
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		outside(t, l, func() error {
			c, err := net.DialTimeout("unix", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			return play(c)
		})
	})
}

// fillUp leaves the socket no room, of which the connection knows nothing.
func fillUp(t *testing.T, c *event.Conn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for p := make([]byte, 4096); err == nil; {
			_, err = syscall.Write(int(fd), p)
		}
	}); err != nil {
		t.Error(err)
	}
	if err != syscall.EAGAIN {
		t.Error(err)
	}
}

// Who is told that a listener is closed may listen there again.
func TestListenAgain(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				address, rounds := "127.0.0.1:0", 0
				if network == "unix" {
					address = t.TempDir() + "/s"
				}
				onLoop(t, cfg, func(l *event.Loop) {
					var again func(error)
					again = func(err error) {
						if rounds++; rounds > 1 && !errors.Is(err, net.ErrClosed) {
							t.Errorf("closed with %v", err)
						}
						ln, err := l.Listen(network, address, event.Base{})
						if err != nil {
							t.Errorf("round %d: %v", rounds, err)
							return
						}
						address = ln.Addr().String()
						if rounds < 5 {
							ln.OnClose(again)
						}
						l.AfterFunc(0, ln.Close)
					}
					again(nil)
				})
				if rounds != 5 {
					t.Errorf("%d rounds", rounds)
				}
			})
		})
	}
}

// lingerers make a connection for h whose SO_LINGER is set otherwise than by event, to a listener at addr, or from a
// dial, for which they give an address.
var lingerers = map[string]func(l *event.Loop, h event.Handler, addr string) (dial string, err error){
	"SyscallConn": func(l *event.Loop, h event.Handler, addr string) (string, error) {
		l.Dial("tcp", addr, &lingersFirst{h})
		return "", nil
	},
	"Dialer.Control": func(l *event.Loop, h event.Handler, addr string) (string, error) {
		l.DialBy(&sock.Dialer{Control: setLinger}, "tcp", addr, h)
		return "", nil
	},
	"Adopt": func(l *event.Loop, h event.Handler, addr string) (string, error) {
		c, err := sock.Dial(l.Ringo(), "tcp", addr)
		if err != nil {
			return "", err
		}
		err = c.SetLinger(lingerSeconds)
		_, failed := l.Adopt(c, h)
		return "", errors.Join(err, failed)
	},
	"accepted": func(l *event.Loop, h event.Handler, _ string) (string, error) {
		s, err := (&sock.ListenConfig{Control: setLinger}).Listen(l.Ringo(), "tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		var ln *event.Listener
		ln = l.Accept(s, &once{h, func() { ln.Close() }})
		return ln.Addr().String(), nil
	},
}

var lingerSeconds = int(patience.Max / time.Second)

func setLinger(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER,
			&syscall.Linger{Onoff: 1, Linger: int32(lingerSeconds)})
	})
	return errors.Join(failed, err)
}

// lingersFirst sets SO_LINGER before OnOpen.
type lingersFirst struct{ event.Handler }

func (f *lingersFirst) OnOpen(c *event.Conn) {
	raw, err := c.SyscallConn()
	if err := errors.Join(err, setLinger("", "", raw)); err != nil {
		c.Abort()
	}
	c.SetHandler(f.Handler)
	f.Handler.OnOpen(c)
}

// lingering calls body while the close of a connection lingers, whose peer it may have read; closed reports whether
// that has ended.
func lingering(t *testing.T, cfg ringo.Config, how string, detach bool,
	body func(l *event.Loop, peer net.Conn, closed func() bool)) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		peers, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer peers.Close()
		closed, opened := false, ringo.NewChan[bool](1)
		dial, err := lingerers[how](l, &funcs{
			open: func(c *event.Conn) {
				// More than the peer has room for, less than the socket has. SyscallConn would ask for SO_LINGER.
				if err := c.Write(make([]byte, 512<<10)); err != nil || c.Unsent() > 0 {
					t.Errorf("Write: %v, %d bytes unsent", err, c.Unsent())
				}
				if opened.TrySend(true); !detach {
					c.Close()
					return
				}
				l.Ringo().Go(func() {
					s, err := c.Detach()
					if err != nil {
						t.Error(err)
						return
					}
					s.Close()
					closed = true
				})
			},
			close: func(_ *event.Conn, err error) {
				if closed = !detach; err != nil && !detach {
					t.Errorf("closed with %v", err)
				}
			},
		}, peers.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var peer net.Conn
		if err := l.Ringo().Offload(func(context.Context) (err error) {
			if dial != "" {
				peer, err = net.DialTimeout("tcp", dial, patience.Max)
			} else {
				peer, err = peers.Accept()
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		opened.Recv()
		for range 50 {
			l.Ringo().Sleep(time.Millisecond)
		}
		if closed {
			t.Errorf("%s: the close did not wait for the peer, or the loop did", how)
		}
		body(l, peer, func() bool { return closed })
	})
}

// A close that lingers, however that was asked for, holds up nothing else, and OnClose is called at its end.
func TestLingerDoesNotStall(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for how := range lingerers {
			for _, detach := range []bool{false, true} {
				t.Run(fmt.Sprint(how, ", detached: ", detach), func(t *testing.T) {
					lingering(t, cfg, how, detach, func(l *event.Loop, peer net.Conn, closed func() bool) {
						l.Ringo().Offload(func(context.Context) error {
							_, err := io.Copy(io.Discard, peer)
							if err != nil {
								t.Errorf("the peer sees %v", err)
							}
							return err
						})
						socktest.EventuallyOn(t, l.Ringo(), "the close", closed)
					})
				})
			}
		}
	})
}

// Stop does not wait for a close that lingers.
func TestStopOfLingering(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		lingering(t, cfg, "SyscallConn", false, func(l *event.Loop, _ net.Conn, closed func() bool) {
			l.Stop()
			l.Wait()
			if !closed() {
				t.Error("OnClose was not called")
			}
		})
	})
}

// A connection that is closed beside its reset, of which nothing is known yet, was closed; no end of the peer's has
// come.
func TestResetBesideClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for range 20 {
			var conns []*event.Conn
			var why error
			held, reset := make(chan bool), make(chan bool)
			onLoop(t, cfg, func(l *event.Loop) {
				var ln *event.Listener
				ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
					open: func(c *event.Conn) {
						if conns = append(conns, c); len(conns) == 2 {
							ln.Close()
							conns[0].Write([]byte{0})
						}
					},
					data: func(c *event.Conn, p []byte) int {
						if string(p) == "hold" {
							close(held)
							<-reset
						} else {
							conns[1].Close()
							c.Close()
						}
						return len(p)
					},
					close: func(c *event.Conn, err error) {
						if c == conns[1] {
							why = err
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				addr := ln.Addr().String()
				outside(t, l, func() error {
					defer close(reset)
					first, err := net.DialTimeout("tcp", addr, patience.Max)
					if err != nil {
						return err
					}
					defer first.Close()
					second, err := net.DialTimeout("tcp", addr, patience.Max)
					if err != nil {
						return err
					}
					defer second.Close()
					if err := socktest.WantBytes(first, []byte{0}); err != nil {
						return err
					}
					if _, err := first.Write([]byte("hold")); err != nil {
						return err
					}
					<-held
					_, err = first.Write([]byte("go"))
					return errors.Join(err, second.(*net.TCPConn).SetLinger(0), second.Close())
				})
			})
			if why == io.EOF {
				t.Error("closed with io.EOF")
			}
			if why == nil || why == io.EOF {
				return
			}
		}
		t.Skip("each time this driver told of the reset first")
	})
}

// A Stop on a loop of Run is for good, even if nothing is active yet.
func TestStopBeforeAnything(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		patience.Within(t.Name(), func() {
			if err := event.Run(t.Context(), &cfg, func(l *event.Loop) error {
				l.Stop()
				ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
				if err == nil {
					ln.Close()
				}
				return err
			}); err != event.ErrStopped {
				t.Errorf("Run: %v", err)
			}
		})
	})
}

// What OnClose of a listener that was stopped starts is refused, whether a task is in Wait or not.
func TestListenInOnCloseBehindStop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, waits := range []bool{true, false} {
			onLoop(t, cfg, func(l *event.Loop) {
				again, told := errors.New("not called"), ringo.NewChan[bool](1)
				ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
				if err != nil {
					t.Fatal(err)
				}
				ln.OnClose(func(error) {
					var n *event.Listener
					if n, again = l.Listen("tcp", "127.0.0.1:0", event.Base{}); again == nil {
						n.Close()
					}
					told.TrySend(true)
				})
				if l.Ringo().Go(l.Stop); waits {
					l.Wait()
				}
				if told.Recv(); again != event.ErrStopped {
					t.Errorf("a task is in Wait: %v; Listen: %v", waits, again)
				}
			})
		}
	})
}
