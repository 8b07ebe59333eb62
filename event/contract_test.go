package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/stats"
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
					peer.Write(socktest.Prefix(200_000)) // fails where the connection is closed sooner
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

// After a callback that does not return the turn goes on where it was: what is queued meanwhile is for the next one.
func TestPanicKeepsTurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		const steps = 20
		turn, last, count, broke := 0, 0, 0, 0
		h := &funcs{open: func(c *event.Conn) {
			check := c.Loop().Check(func() { turn++ })
			var step func(error)
			step = func(err error) {
				if err != nil || turn == last {
					t.Errorf("step %d is in turn %d, as the one before it (%v)", count, turn, err)
				}
				last = turn
				if count++; count == steps {
					check.Stop()
					c.Close()
					return
				}
				c.Loop().AfterFunc(0, func() { // in a turn of the next step, behind it
					broke++
					panic("oops")
				})
				if err := c.WriteThen([]byte("x"), step); err != nil {
					t.Error(err)
				}
			}
			if err := c.WriteThen([]byte("x"), step); err != nil {
				t.Error(err)
			}
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			io.Copy(io.Discard, peer)
			return nil
		})
		if count != steps || broke != steps-1 {
			t.Errorf("%d steps and %d callbacks that panic; want %d and %d", count, broke, steps, steps-1)
		}
	})
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
			p := socktest.Prefix(4 << 20)
			peer.Write(p)
			io.Copy(io.Discard, peer)
			return nil
		})
		if !full || string(got) != string(again) || len(got) == 0 {
			t.Errorf("full: %v; %d bytes were kept, or others", full, len(got))
		}
	})
}

// What is lent is told of when the kernel has it, in order, or will never have it.
func TestWriteThen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{10, 5000, 4 << 20} {
			p := socktest.Prefix(size)
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
			}, close: func(*event.Conn, error) {
				if len(order) != 3 {
					t.Errorf("%d bytes: told of %v before OnClose", size, order)
				}
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				return errors.Join(socktest.WantBytes(peer, p), socktest.WantBytes(peer, p),
					socktest.WantBytes(peer, p), socktest.WantEOF(peer))
			})
			if len(order) != 3 || order[0] != 0 || order[2] != 2 {
				t.Errorf("%d bytes: told of %v", size, order)
			}
		}
		for name, abort := range map[string]func(c *event.Conn){
			"in OnOpen": (*event.Conn).Abort,
			"by a task": func(c *event.Conn) { c.Loop().Ringo().Go(c.Abort) },
		} {
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
				abort(c)
			}, close: func(*event.Conn, error) {
				if gone != 3 {
					t.Errorf("aborted %s: %d of 3 were told that they are not sent, and before OnClose", name, gone)
				}
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
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
		pair(t, cfg, h, func(peer *net.TCPConn) error { return socktest.WantEOF(peer) })
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

// Who calls wrongly is told by a panic that names what he called, before anything was bound or begun.
func TestMisuse(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		type sockets struct {
			ln *sock.Listener
			c  *sock.PacketConn
		}
		others, over := ringo.NewChan[sockets](1), ringo.NewChan[bool](0)
		cfg.Loops = 2
		patience.Within(t.Name(), func() {
			if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				if l != l.Loops()[0] {
					ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					defer ln.Close()
					c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					defer c.Close()
					others.Send(sockets{ln, c})
					over.Recv()
					return nil
				}
				defer over.Close()
				e := event.On(l)
				theirs, err := others.Recv()
				if err != nil {
					return err
				}
				for want, f := range map[string]func(){
					"Loop.Listen without a Handler":             func() { e.Listen("tcp", "127.0.0.1:0", nil) },
					"Loop.Accept without a Handler":             func() { e.Accept(theirs.ln, nil) },
					"Loop.Accept of another loop's listener":    func() { e.Accept(theirs.ln, event.Base{}) },
					"Loop.Accept of a nil *sock.Listener":       func() { e.Accept(nil, event.Base{}) },
					"Loop.Dial without a Handler":               func() { e.Dial("tcp", "127.0.0.1:1", nil) },
					"Loop.DialBy of a nil *sock.Dialer":         func() { e.DialBy(nil, "tcp", "", event.Base{}) },
					"Loop.Adopt without a Handler":              func() { e.Adopt(nil, nil) },
					"Loop.Adopt of a nil *sock.Conn":            func() { e.Adopt(nil, event.Base{}) },
					"Loop.ListenPacket without a PacketHandler": func() { e.ListenPacket("udp", "127.0.0.1:0", nil) },
					"Loop.DialPacket without a PacketHandler":   func() { e.DialPacket("udp", "127.0.0.1:1", nil) },
					"Loop.Receive of a nil *sock.PacketConn":    func() { e.Receive(nil, event.PacketBase{}) },
					"Loop.Receive of another loop's socket":     func() { e.Receive(theirs.c, event.PacketBase{}) },
				} {
					if err := panics(f, want); err != nil {
						t.Error(err)
					}
				}
				if n := len(sock.Listeners()); n != 1 {
					t.Errorf("%d listeners are open, want that of the other loop", n)
				}
				for _, i := range l.Handles() {
					t.Errorf("%s %v is left open", i.Kind, i.Local)
				}
				return e.Wait()
			}); err != nil {
				t.Error(err)
			}
		})
	})
}

// A bound of less than nothing is refused, and not taken for one that everything breaks.
func TestNegativeBounds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *event.Loop) {
			c, p := l.Dial("tcp", "127.0.0.1:1", event.Base{}), l.DialPacket("udp", "127.0.0.1:1", event.PacketBase{})
			for want, f := range map[string]func(){
				"Conn.SetUnreadMax of -1":       func() { c.SetUnreadMax(-1) },
				"Conn.SetMarks of -1":           func() { c.SetMarks(1, -1) },
				"Conn.SetMarks of -2":           func() { c.SetMarks(-2, 1) },
				"Loop.SetUnsentMax of -1":       func() { l.SetUnsentMax(-1) },
				"PacketConn.SetUnsentMax of -1": func() { p.SetUnsentMax(-1) },
			} {
				if err := panics(f, want); err != nil {
					t.Error(err)
				}
			}
			c.Close()
			p.Close()
		})
	})
}

// panics wants f to panic with what contains want.
func panics(f func(), want string) (err error) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "event: "+want) {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
	}()
	f()
	return nil
}

// Run waits for tasks, and for what they begin when nothing else is active any more.
func TestRunWaitsForTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got []byte
		closed, ticked := false, false
		patience.Within(t.Name(), func() {
			if err := event.Run(context.Background(), &cfg, func(l *event.Loop) error {
				l.Ringo().Go(func() {
					if err := l.Ringo().Sleep(time.Millisecond); err != nil { // Wait has returned
						t.Error(err)
					}
					addr := listenOnce(t, l, &funcs{open: func(c *event.Conn) { c.Write([]byte("hello")); c.Close() }})
					l.Dial("tcp", addr, &funcs{
						data:  func(_ *event.Conn, p []byte) int { got = append(got, p...); return len(p) },
						close: func(*event.Conn, error) { closed = true },
					})
				})
				return nil
			}); err != nil {
				t.Error(err)
			}
			// A drain ends there, too, what never ends by itself.
			ctx, drain := context.WithCancel(context.Background())
			cfg.Grace = patience.Max / 3
			if err := event.Run(ctx, &cfg, func(l *event.Loop) error {
				l.Ringo().Go(func() {
					l.Ringo().Sleep(time.Millisecond)
					l.Every(time.Millisecond, func() { ticked = true; drain() })
				})
				return nil
			}); err != nil {
				t.Error("Run that drains:", err)
			}
		})
		if string(got) != "hello" || !closed || !ticked {
			t.Errorf("got %q, closed %v, ticked %v", got, closed, ticked)
		}
	})
}

// Connections of callbacks are in the list of what is open on a loop, with their addresses and what is unread and
// unsent.
func TestHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		shown := make(chan bool)
		h := &funcs{data: func(c *event.Conn, p []byte) int {
			if len(p) < 5 {
				return 0
			}
			c.Pause()
			c.SetMarks(1, 100<<20)
			if err := c.WriteThen(make([]byte, 16<<20), func(error) {}); err != nil {
				t.Error(err)
			}
			l := c.Loop()
			l.Ringo().Go(func() {
				defer close(shown)
				defer c.Abort()
				all := l.Ringo().Handles()
				n := slices.IndexFunc(all, func(i stats.Handle) bool { return i.Kind == "conn" })
				if n < 0 {
					t.Errorf("not in %+v", all)
					return
				}
				i := all[n]
				if i.Network != "tcp" || i.State != "open" || i.FD <= 0 || i.Local != c.LocalAddr().String() ||
					i.Remote != c.RemoteAddr().String() || i.Unread != 2 || i.Unsent < c.Unsent() || i.Unsent == 0 ||
					i.Writing != "armed" {
					t.Errorf("listed as %+v of %v to %v, %d unsent", i, c.LocalAddr(), c.RemoteAddr(), c.Unsent())
				}
			})
			return 3
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			_, err := peer.Write([]byte("hello"))
			<-shown
			return err
		})
	})
}

// A list of many connections has those that stay, once, whichever others end while it is made.
func TestHandlesOfMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver != socktest.World {
			testmain.NeedDescriptors(t, 500)
		}
		onLoop(t, cfg, func(l *event.Loop) {
			var server, client []*event.Conn
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{open: func(c *event.Conn) { server = append(server, c) }})
			if err != nil {
				t.Fatal(err)
			}
			connect := func(n int) {
				server, client = nil, nil
				for range n {
					l.Dial("tcp", ln.Addr().String(), &funcs{open: func(c *event.Conn) { client = append(client, c) }})
				}
				socktest.EventuallyOn(t, l.Ringo(), "all are connected", func() bool {
					return len(client) == n && len(server) == n
				})
			}
			connect(10) // the oldest, which come last
			stay := map[string]int{}
			for _, c := range client {
				stay[c.LocalAddr().String()] = 0
			}
			for when := range 5 {
				connect(150)
				turns := 0
				ending := l.Check(func() {
					if turns++; turns == when+1 {
						for _, c := range client {
							c.Abort()
						}
						for _, c := range server {
							c.Abort()
						}
					}
				})
				for _, i := range l.Ringo().Handles() {
					if _, ok := stay[i.Local]; ok && i.Kind == "conn" {
						stay[i.Local]++
					}
				}
				ending.Stop()
				for addr, times := range stay {
					if times != 1 {
						t.Fatalf("ended in turn %d: %s is listed %d times", when, addr, times)
					}
					stay[addr] = 0
				}
			}
			l.Stop()
		})
	})
}

// Where a loop ends in the midst of a list, the list is given up.
func TestHandlesAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		listed := make(chan bool)
		onLoop(t, cfg, func(l *event.Loop) {
			addr := listenOnce(t, l, event.Base{})
			l.Dial("tcp", addr, &funcs{open: func(c *event.Conn) {
				go func() {
					defer close(listed)
					for c.Loop().Post(func() {}) == nil {
						l.Ringo().Handles()
					}
				}()
				c.Close()
			}})
		})
		<-listed
	})
}
