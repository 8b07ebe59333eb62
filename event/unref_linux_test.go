//go:build linux

package event_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
)

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
