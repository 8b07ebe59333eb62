//go:build linux

package event_test

import (
	"context"
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
