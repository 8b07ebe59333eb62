package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/watch"
)

// watcher is a driver that knows what is in flight.
type watcher struct {
	driver.Driver
	full   bool   // plain sends find no room
	late   bool   // what was cancelled ends a turn later, as it does where the kernel is at it
	looked func() // called behind a look, see driver.Queue
	flying []*op.Op
	done   driver.Queue
	held   []driver.Completion
}

func (w *watcher) Try(o *op.Op) (int32, bool) {
	if w.full && o.Code == op.Send {
		return 0, false
	}
	return w.Driver.Try(o)
}

func (w *watcher) Submit(o *op.Op) {
	w.flying = append(w.flying, o)
	w.Driver.Submit(o)
}

func (w *watcher) Wait(deadline int64, done *driver.Queue) error {
	w.done.Looked = false
	if len(w.held) > 0 {
		deadline = driver.Poll
	}
	err := w.Driver.Wait(deadline, &w.done)
	done.Looked = w.done.Looked
	w.pass(done)
	if done.Looked && w.looked != nil {
		w.looked()
	}
	return err
}

func (w *watcher) Close(done *driver.Queue) error {
	err := w.Driver.Close(&w.done)
	w.late = false
	w.pass(done)
	return err
}

func (w *watcher) pass(done *driver.Queue) {
	held := w.held
	w.held = nil
	for c, ok := w.done.Pop(); ok; c, ok = w.done.Pop() {
		if w.late && c.Op.Canceled && c.Flags&op.More == 0 {
			w.held = append(w.held, c)
		} else {
			w.tell(c, done)
		}
	}
	for _, c := range held {
		w.tell(c, done)
	}
}

func (w *watcher) tell(c driver.Completion, done *driver.Queue) {
	if c.Flags&op.More == 0 {
		w.flying = slices.DeleteFunc(w.flying, func(o *op.Op) bool { return o == c.Op })
	}
	done.Push(c)
}

// has reports whether an op in flight has p, or a part of it up to its end.
func (w *watcher) has(p []byte) bool {
	return slices.ContainsFunc(w.flying, func(o *op.Op) bool {
		b := o.Buf[:cap(o.Buf)]
		return len(b) > 0 && &b[len(b)-1] == &p[len(p)-1]
	})
}

// atConn reports whether an op in flight is of a connection.
func (w *watcher) atConn() bool {
	return slices.ContainsFunc(w.flying, func(o *op.Op) bool { return o.Code != op.Accept })
}

// watched is pair with a watcher for the driver.
func watched(t *testing.T, cfg ringo.Config, w *watcher, h event.Handler, play func(peer *net.TCPConn)) {
	t.Helper()
	onWatched(t, cfg, w, func(e *event.Loop) {
		addr := listenOnce(t, e, h)
		outside(t, e, func() error {
			c, err := dialPeer(addr)
			if c == nil {
				return err
			}
			defer c.Close()
			play(c)
			return nil
		})
	})
}

// onWatched is onLoop with a watcher for the driver.
func onWatched(t *testing.T, cfg ringo.Config, w *watcher, body func(e *event.Loop)) {
	t.Helper()
	onChanged(t, cfg, w, func(*loop.Config) {}, body)
}

// onChanged is onWatched with a configuration that change changes.
func onChanged(t *testing.T, cfg ringo.Config, w *watcher, change func(c *loop.Config), body func(e *event.Loop)) {
	t.Helper()
	patience.Within(t.Name(), func() {
		c := &loop.Config{
			Loops: 1, Entries: 64, Buffers: 64, BufferSize: 4096, Leases: 4, Budget: 64, Grace: time.Second,
			Offload: 4, Stall: -1, HardStop: 5 * time.Second, Clock: time.Now, Warn: func(string, ...any) {},
			OnPanic: func(*loop.Loop, any, []byte) {},
			Observe: watch.Observe,
			Open: func(dc driver.Config) (d driver.Driver, err error) {
				w.Driver, err = open.Open(cfg.Driver, dc)
				return w, err
			},
		}
		change(c)
		err := loop.Run(t.Context(), c, func(in *loop.Loop) error {
			e := event.On((*ringo.Loop)(in))
			body(e)
			return e.Wait()
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// ends are the ways in which a connection may end that has something in flight.
var ends = []struct {
	name string
	call bool // it is for a callback of the connection's
	end  func(c *event.Conn)
}{
	{"Abort", false, func(c *event.Conn) { c.Abort() }},
	{"Close, Abort", false, func(c *event.Conn) { c.Close(); c.Abort() }},
	{"Stop", false, func(c *event.Conn) { c.Loop().Stop() }},
	{"panic", true, func(*event.Conn) { panic("oops") }},
	{"Goexit", true, func(*event.Conn) { runtime.Goexit() }},
	{peersEnd, false, func(*event.Conn) {}},
}

const peersEnd = "a reset by the peer"

// What is lent is given back, and an end is told, when the kernel has let go of it: whatever ends the connection, and
// whether or not it sends something, whose end may come with that of the receive.
func TestLentUntilTold(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, e := range ends {
			for _, sends := range []bool{true, false} {
				for _, late := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s, sends %t, late %t", e.name, sends, late), func(t *testing.T) {
						lentUntilTold(t, cfg, e.name, e.call, e.end, sends, late)
					})
				}
			}
		}
	})
}

func lentUntilTold(t *testing.T, cfg ringo.Config, name string, call bool, end func(*event.Conn), sends, late bool) {
	w := &watcher{late: late}
	out, behind, in := make([]byte, 16<<20), make([]byte, 100), make([]byte, 1<<20)
	told, want := 0, 1
	tell := func(what string, p []byte) {
		if told++; w.has(p) {
			t.Errorf("%s: told while it is in flight", what)
		}
	}
	ending, closed := make(chan bool), make(chan bool)
	h := &funcs{
		open: func(c *event.Conn) {
			if err := c.ReadFull(in, func(int, error) { tell("ReadFull", in) }); err != nil {
				t.Error(err)
			}
			if sends {
				want = 3
				c.SetMarks(1, 100<<20)
				for _, p := range [][]byte{out, behind} {
					if err := c.WriteThen(p, func(error) { tell("WriteThen", p) }); err != nil {
						t.Error(err)
					}
				}
				if !w.has(out) {
					t.Error("all is sent at once")
				}
			}
			if call {
				close(ending)
				end(c)
			}
			lends := (*loop.Loop)(c.Loop().Ringo()).Lends()
			var look *event.Timer
			look = c.Loop().Every(time.Millisecond, func() {
				if w.has(in) || !lends {
					look.Stop()
					close(ending)
					end(c)
				}
			})
		},
		close: func(*event.Conn, error) {
			if w.atConn() {
				t.Error("OnClose while something is in flight")
			}
			close(closed)
		},
	}
	watched(t, cfg, w, h, func(peer *net.TCPConn) {
		<-ending
		if name == peersEnd {
			peer.SetLinger(0)
			return
		}
		<-closed
	})
	if told != want {
		t.Errorf("%d of %d were told", told, want)
	}
}

// What OnData is being shown stays as it is until it returns, also when it has closed the connection and others ask for
// memory.
func TestShownUntilReturn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, end := range map[string]func(c *event.Conn){
			"Close": (*event.Conn).Close, "Abort": (*event.Conn).Abort, "Pause": (*event.Conn).Pause,
			"Stop": func(c *event.Conn) { c.Loop().Stop() },
		} {
			t.Run(name, func(t *testing.T) {
				want := socktest.Prefix(3000)
				first := make(chan bool)
				h := &funcs{data: func(c *event.Conn, p []byte) int {
					if len(p) < len(want) {
						if len(p) == 1 {
							close(first)
						}
						return 0 // so that it is the connection's own memory
					}
					end(c)
					for _, n := range []int{1, 512, 1024, 2048, 4096, 8192} {
						c.WriteV([][]byte{make([]byte, n)}) // takes memory for a while, and writes to it
					}
					if !bytes.Equal(p, want) {
						t.Error("what is shown was changed")
					}
					c.Close()
					return len(p)
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					peer.Write(want[:1])
					<-first
					peer.Write(want[1:])
					io.Copy(io.Discard, peer)
					return nil
				})
			})
		}
	})
}

// Echo allocates nothing, on any driver, of any size. It is not parallel, because it counts.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	echoes := map[string]func(c *event.Conn, p []byte) int{
		"Write": func(c *event.Conn, p []byte) int {
			c.Write(p)
			return len(p)
		},
		"a little and the rest": func(c *event.Conn, p []byte) int {
			c.Write(p[:1])
			c.Write(p[1:])
			return len(p)
		},
		"WriteLease": func(c *event.Conn, p []byte) int {
			if lease, err := c.Keep(); err == nil {
				c.WriteLease(lease)
			}
			return len(p)
		},
		"what is unused": func(c *event.Conn, p []byte) int {
			if len(p) < 300 {
				return 0
			}
			c.Write(p)
			return len(p)
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, echo := range echoes {
			for _, size := range []int{300, 20_000, 50_000} {
				countAllocs(t, cfg, name, size, &funcs{data: echo})
			}
		}
		countAllocs(t, cfg, "with timeouts", 20_000, &funcs{data: echoes["Write"],
			open:    func(c *event.Conn) { c.SetTimeouts(time.Millisecond, time.Millisecond) },
			timeout: func(*event.Conn, event.Timeout) {}})
	})
}

func countAllocs(t *testing.T, cfg ringo.Config, name string, size int, h event.Handler) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		addr := listenOnce(t, l, h)
		outside(t, l, func() error {
			c, err := net.DialTimeout("tcp", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			p := make([]byte, size)
			var failed error
			round := func() {
				for _, part := range [][]byte{p[:100], p[100:]} {
					if _, err := c.Write(part); err != nil {
						failed = err
					}
				}
				if _, err := io.ReadFull(c, p); err != nil {
					failed = err
				}
			}
			if least := alloctest.Least(200, 0.05, round); least > 0.05 { // some are the runtime's own
				t.Errorf("%s, %d bytes: %.2f allocations a round", name, size, least)
			}
			return failed
		})
	})
}

// With next to no buffers, slots of the ring and budget all is the same, only slower: nobody is forgotten.
func TestTiny(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize, cfg.Leases, cfg.Budget, cfg.Entries = 2, 64, 1, 1, 2
		const conns, rounds = 10, 20
		p := socktest.Prefix(3000)
		opened, closed := 0, 0
		onLoop(t, cfg, func(l *event.Loop) {
			var ln *event.Listener
			ln, err := l.Listen("tcp", "127.0.0.1:0", &funcs{
				open: func(*event.Conn) {
					if opened++; opened == conns {
						ln.Close()
					}
				},
				data: func(c *event.Conn, p []byte) int {
					if len(p) < 5 {
						return 0 // now and then a rest
					}
					n := len(p) - 1
					if p[n] == 'E' {
						n++
					}
					if err := c.Write(p[:n]); err != nil {
						t.Errorf("Write: %v", err)
					}
					return n
				},
				close: func(*event.Conn, error) { closed++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			message := append(slices.Clone(p), "EEEEEEEE"...)
			for range conns {
				outside(t, l, func() error {
					c, err := net.DialTimeout("tcp", addr, patience.Max)
					if err != nil {
						return err
					}
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					for range rounds {
						if _, err := c.Write(message); err != nil {
							return err
						}
						if err := socktest.WantBytes(c, message); err != nil {
							return err
						}
					}
					return errors.Join(c.(*net.TCPConn).CloseWrite(), socktest.WantEOF(c))
				})
			}
		})
		if opened != conns || closed != conns {
			t.Errorf("%d were opened and %d closed, want %d", opened, closed, conns)
		}
	})
}
