package event_test

import (
	"errors"
	"io"
	"net"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/event"
)

// No callback is called from within a call of its own, whatever that starts or ends, and behind Close nothing but
// OnClose, once.
func TestReentrancy(t *testing.T) {
	for name, act := range map[string]func(c *event.Conn){
		"Close":         func(c *event.Conn) { c.Close(); c.Close() },
		"Abort":         func(c *event.Conn) { c.Abort(); c.Close() },
		"Pause, Close":  func(c *event.Conn) { c.Pause(); c.Close(); c.Resume() },
		"Write, Close":  func(c *event.Conn) { c.Write([]byte("bye")); c.Close() },
		"Write, Abort":  func(c *event.Conn) { c.Write(make([]byte, 8<<20)); c.Abort() },
		"fail, Close":   func(c *event.Conn) { c.SetUnreadMax(0); c.Close() },
		"Pause, Resume": func(c *event.Conn) { c.Pause(); c.Resume(); c.Loop().AfterFunc(0, c.Close) },
		"Stop":          func(c *event.Conn) { c.Loop().Stop() },
		"Dial": func(c *event.Conn) {
			c.Loop().Dial("tcp", c.LocalAddr().String(), event.Base{}).Close()
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				depth, closed, acted := 0, 0, false
				enter := func() func() {
					if depth++; depth > 1 {
						t.Error("a callback within a callback")
					}
					if closed > 0 {
						t.Error("a callback behind OnClose")
					}
					return func() { depth-- }
				}
				h := &funcs{
					data: func(c *event.Conn, p []byte) int {
						defer enter()()
						first := p[0]
						if !acted {
							acted = true
							act(c)
						} else if name != "Pause, Resume" {
							t.Error("data behind the end")
						}
						if p[0] != first {
							t.Error("what is shown was given to somebody else")
						}
						return len(p)
					},
					end:      func(*event.Conn) { defer enter()() },
					writable: func(*event.Conn) { defer enter()() },
					close: func(c *event.Conn, _ error) {
						enter()()
						if closed++; c.Write([]byte("x")) == nil || c.CloseWrite() == nil {
							t.Error("a closed connection takes bytes")
						}
						c.Close()
						c.Pause()
						c.Resume()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					peer.Write(pattern(200_000)) // fails where the connection is closed sooner
					io.Copy(io.Discard, peer)
					return nil
				})
				if closed != 1 || !acted {
					t.Errorf("OnClose was called %d times; acted: %v", closed, acted)
				}
			})
		})
	}
}

// A callback may close another connection that has data to be shown.
func TestCloseAnother(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var conns []*event.Conn
		shown, closed := 0, 0
		onLoop(t, cfg, func(l *event.Loop) {
			var ln *event.Listener
			h := &funcs{
				open: func(c *event.Conn) {
					if conns = append(conns, c); len(conns) == 2 {
						ln.Close()
						for _, c := range conns {
							c.Resume()
						}
					} else {
						c.Pause()
					}
				},
				data: func(c *event.Conn, p []byte) int {
					shown++
					for _, o := range conns {
						if o.Close(); o != c {
							o.SetValue("closed by another")
						}
					}
					return len(p)
				},
				close: func(*event.Conn, error) { closed++ },
			}
			ln, err := l.Listen("tcp", "127.0.0.1:0", h)
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			for range 2 {
				outside(t, l, func() error {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						return err
					}
					defer c.Close()
					c.Write([]byte("hello"))
					io.Copy(io.Discard, c)
					return nil
				})
			}
		})
		if shown != 1 || closed != 2 {
			t.Errorf("data was shown %d times, %d closed; want 1, 2", shown, closed)
		}
	})
}

// A panic in a callback is a task's, and so is runtime.Goexit; the connection ends, and the others go on.
func TestPanic(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var told any
				cfg.OnPanic = func(_ *ringo.Loop, v any, _ []byte) { told = v }
				var why error
				ticked := false
				h := &funcs{
					open: func(c *event.Conn) {
						c.Loop().AfterFunc(0, func() { end() })
						c.Loop().AfterFunc(time.Millisecond, func() { ticked = true })
					},
					data: func(*event.Conn, []byte) int {
						end()
						return 0
					},
					close: func(_ *event.Conn, err error) {
						why = err
						end()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					peer.Write([]byte("hello"))
					io.Copy(io.Discard, peer)
					return nil
				})
				if why != event.ErrNoReturn || !ticked || name == "panic" && told != "oops" {
					t.Errorf("closed with %v, told %v, ticked %v", why, told, ticked)
				}
			})
		})
	}
}

// What is kept stays as it is until it is released, anywhere, and counts until then.
func TestKeep(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var kept []buf.Lease
		var got, again []byte
		full := false
		h := &funcs{
			data: func(c *event.Conn, p []byte) int {
				lease, err := c.Keep()
				if err == nil {
					if _, err := c.Keep(); err == nil {
						t.Error("Keep gives the same bytes twice")
					}
					if &lease.Bytes()[0] != &p[0] || len(lease.Bytes()) != len(p) {
						t.Error("Keep gives other bytes than were shown")
					}
					kept = append(kept, lease)
					got = append(got, p...)
					return len(p)
				}
				if full = err == event.ErrLeases; !full {
					t.Errorf("Keep: %v", err)
				}
				c.Close()
				return len(p)
			},
			close: func(*event.Conn, error) {
				for _, b := range kept {
					again = append(again, b.Bytes()...)
					b.Release()
				}
			},
			open: func(c *event.Conn) {
				if _, err := c.Keep(); err == nil {
					t.Error("Keep outside of OnData")
				}
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			p := pattern(4 << 20)
			peer.Write(p)
			io.Copy(io.Discard, peer)
			return nil
		})
		if !full || string(got) != string(again) || len(got) == 0 {
			t.Errorf("full: %v; %d bytes were kept, or others", full, len(got))
		}
	})
}

// What is kept may be sent from where it is.
func TestWriteLease(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{100, 50_000} {
			h := &funcs{data: func(c *event.Conn, p []byte) int {
				lease, err := c.Keep()
				if err == nil {
					err = c.WriteLease(lease)
				}
				if err != nil {
					t.Errorf("WriteLease: %v", err)
				}
				return len(p)
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				p := pattern(size)
				for range 20 {
					if _, err := peer.Write(p); err != nil {
						return err
					}
					if err := wantBytes(peer, p); err != nil {
						return err
					}
				}
				return errors.Join(peer.CloseWrite(), wantEOF(peer))
			})
		}
	})
}

// What is lent is told of when the kernel has it, in order, or will never have it.
func TestWriteThen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{10, 5000, 4 << 20} {
			p := pattern(size)
			var order []int
			inside := true
			h := &funcs{open: func(c *event.Conn) {
				c.SetMarks(1, 100<<20)
				for i := range 3 {
					if err := c.WriteThen(p, func(err error) {
						if err != nil || inside {
							t.Errorf("write %d: %v, from within: %v", i, err, inside)
						}
						order = append(order, i)
					}); err != nil {
						t.Errorf("WriteThen: %v", err)
					}
				}
				inside = false
				c.Close()
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				return errors.Join(wantBytes(peer, p), wantBytes(peer, p), wantBytes(peer, p), wantEOF(peer))
			})
			if len(order) != 3 || order[0] != 0 || order[2] != 2 {
				t.Errorf("%d bytes: told of %v", size, order)
			}
		}
		gone := 0
		h := &funcs{open: func(c *event.Conn) {
			c.SetMarks(1, 100<<20)
			for range 3 {
				c.WriteThen(make([]byte, 8<<20), func(err error) {
					if err != nil {
						gone++
					}
				})
			}
			c.Abort()
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
		if gone != 3 {
			t.Errorf("%d of 3 were told that they are not sent", gone)
		}
	})
}

// A connection that always has something to show, and one whose callbacks always have something to do, hold up nobody.
func TestFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ticks := 0
		done := false
		h := &funcs{
			open: func(c *event.Conn) {
				l := c.Loop()
				var again func()
				again = func() {
					if !done {
						l.AfterFunc(0, again)
					}
				}
				again()
				l.Every(time.Millisecond, func() {
					if ticks++; ticks == 20 {
						done = true
						l.Stop()
					}
				})
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			p := make([]byte, 1<<20)
			for {
				if _, err := peer.Write(p); err != nil {
					return nil
				}
			}
		})
		if ticks < 20 {
			t.Errorf("%d ticks", ticks)
		}
	})
}

// A connection is small.
func TestConnSize(t *testing.T) {
	if n := reflect.TypeFor[event.Conn]().Size(); strconv.IntSize == 64 && n > 176 {
		t.Errorf("an event.Conn takes %d bytes", n)
	}
}

// A paused connection is shown nothing, what comes stays in order, and the peer has to wait.
func TestPause(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		want := pattern(6 << 20)
		var got []byte
		pausedNow := false
		h := &funcs{
			data: func(c *event.Conn, p []byte) int {
				if pausedNow {
					t.Error("shown while paused")
				}
				got = append(got, p...)
				c.Pause()
				pausedNow = true
				c.Loop().AfterFunc(time.Microsecond, func() {
					pausedNow = false
					c.Resume()
				})
				return len(p)
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			if _, err := peer.Write(want); err != nil {
				return err
			}
			return errors.Join(peer.CloseWrite(), wantEOF(peer))
		})
		if string(got) != string(want) {
			t.Errorf("%d bytes came of %d, or others", len(got), len(want))
		}
	})
}

// What parks is refused in a callback, which would wait for itself.
func TestNoWaitInCallback(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		refused := 0
		try := func(wait func()) {
			defer func() {
				if recover() != nil {
					refused++
				}
			}()
			wait()
		}
		h := &funcs{open: func(c *event.Conn) {
			try(func() { c.Detach() })
			try(func() { c.Loop().Wait() })
			try(func() { c.Loop().Adopt(nil, event.Base{}) })
			c.Close()
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error { return wantEOF(peer) })
		if refused != 3 {
			t.Errorf("%d of 3 were refused", refused)
		}
	})
}

// What was stopped may begin anew.
func TestBehindStop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		opened := 0
		onLoop(t, cfg, func(l *event.Loop) {
			for range 3 {
				ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{open: func(c *event.Conn) {
					opened++
					c.Loop().Stop()
				}})
				if err != nil {
					t.Fatal(err)
				}
				l.Dial("tcp", ln.Addr().String(), event.Base{})
				if err := l.Wait(); err != nil {
					t.Errorf("Wait: %v", err)
				}
			}
		})
		if opened != 3 {
			t.Errorf("%d connections were opened", opened)
		}
	})
}

// Between Unix sockets it is the same.
func TestUnix(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		name := t.TempDir() + "/s"
		var got []byte
		var local, remote net.Addr
		onLoop(t, cfg, func(l *event.Loop) {
			var ln *event.Listener
			ln, err := l.Listen("unix", name, &funcs{open: func(c *event.Conn) {
				ln.Close()
				c.Write([]byte("hello"))
				local, remote = c.LocalAddr(), c.RemoteAddr()
				c.Close()
			}})
			if err != nil {
				t.Fatal(err)
			}
			l.Dial("unix", name, &funcs{data: func(_ *event.Conn, p []byte) int {
				got = append(got, p...)
				return len(p)
			}})
		})
		if string(got) != "hello" || local.String() != name || remote.String() != "@" {
			t.Errorf("got %q, from %v to %v", got, local, remote)
		}
	})
}
