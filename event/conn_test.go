package event_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/event"
	"ringo/internal/loop"
	"ringo/internal/test/socktest"
	"ringo/stats"
)

// A connection of which too much stays unused ends, whether it comes little by little, or is left by one who does not
// stay paused.
func TestUnreadMax(t *testing.T) {
	for name, left := range map[string]func(c *event.Conn){
		"little by little": func(*event.Conn) {},
		"by its own will":  func(c *event.Conn) { c.Pause(); c.Resume() },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var why error
				h := &funcs{
					open: func(c *event.Conn) { c.SetUnreadMax(1000) },
					data: func(c *event.Conn, _ []byte) int {
						left(c)
						return 0
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					peer.Write(socktest.Prefix(1000))
					peer.Write(socktest.Prefix(1))
					io.Copy(io.Discard, peer)
					return nil
				})
				if why != event.ErrUnread {
					t.Errorf("closed with %v, want ErrUnread", why)
				}
			})
		})
	}
}

// What the peer does not take is bounded: Congested, then ErrFull, and OnWritable when it goes on.
func TestSlowPeer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		p := socktest.Prefix(10_000)
		taken, told := 0, 0
		full := make(chan int, 1)
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetMarks(20_000, 50_000)
				for {
					err := c.Write(p)
					if err == event.ErrFull {
						break
					}
					if err != nil {
						t.Errorf("Write: %v", err)
						c.Close()
						return
					}
					taken++
					if c.Congested() != (c.Unsent() >= 20_000) {
						t.Errorf("Congested is %v with %d bytes unsent", c.Congested(), c.Unsent())
					}
				}
				if n := c.Unsent(); n < 50_000 || n >= 60_000 {
					t.Errorf("full with %d bytes unsent", n)
				}
				full <- taken
			},
			writable: func(c *event.Conn) {
				if told++; c.Unsent() > 10_000 {
					t.Errorf("OnWritable with %d bytes unsent", c.Unsent())
				}
				c.Close()
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			for range <-full {
				if err := socktest.WantBytes(peer, p); err != nil {
					return err
				}
			}
			return socktest.WantEOF(peer)
		})
		if told != 1 {
			t.Errorf("OnWritable was called %d times", told)
		}
	})
}

// plainMost is how much at most a piece has that came in no large buffer.
const plainMost = 16384 + 16384/8

// much is more than a buffer holds, and less than the sockets do.
const much = 96 << 10

// bulky is a connection to which much has come at once: it was paused until the peer had sent it. What comes from then
// on, data is called for; play goes on as the peer, which send helps: it sends, and waits until all of it was used.
func bulky(t *testing.T, cfg ringo.Config, data func(c *event.Conn, p []byte) int,
	play func(peer *net.TCPConn, send func(p []byte) error, conn *event.Conn) error) {
	t.Helper()
	var conn *event.Conn
	var want []byte
	used, first := 0, true
	h := &funcs{
		open: func(c *event.Conn) { conn = c; c.Pause(); c.Write([]byte{0}) },
		data: func(c *event.Conn, p []byte) int {
			n := len(p)
			if !first {
				n = data(c, p)
			}
			if used+n > len(want) || string(p[:n]) != string(want[used:used+n]) {
				t.Errorf("%d bytes at %d of %d are others than were sent", n, used, len(want))
				c.Abort()
				return n
			}
			if used += n; used == len(want) {
				first = false
				c.Write([]byte{0}) // to send
			}
			return n
		},
		close: func(_ *event.Conn, err error) {
			if err != nil && err.Error() != "EOF" {
				t.Errorf("the connection has ended with %v", err)
			}
		},
	}
	pair(t, cfg, h, func(peer *net.TCPConn) error {
		peer.SetWriteBuffer(2 * much)
		if err := socktest.WantBytes(peer, []byte{0}); err != nil {
			return err
		}
		send := func(p []byte) error {
			told := make(chan bool)
			conn.Loop().Post(func() { want = append(want, p...); close(told) })
			<-told
			_, err := peer.Write(p)
			if err == nil {
				conn.Loop().Post(conn.Resume)
				err = socktest.WantBytes(peer, []byte{0})
			}
			return err
		}
		if err := send(socktest.Prefix(much)); err != nil {
			return fmt.Errorf("much at once: %w", err)
		}
		if err := play(peer, send, conn); err != nil {
			return err
		}
		return errors.Join(peer.CloseWrite(), socktest.WantEOF(peer))
	})
}

// stats asks a loop.
func statsOf(e *event.Loop) stats.Loop {
	got := make(chan stats.Loop)
	e.Post(func() { got <- e.Ringo().Stats() })
	return <-got
}

// largeMade is how many large buffers a loop has made.
func largeMade(s stats.Loop) int {
	i := slices.IndexFunc(s.Pools, func(p stats.Pool) bool { return p.Pool == "large" })
	return s.Pools[i].Made
}

// received is how many receives a loop has submitted.
func received(s stats.Loop) uint64 {
	i := slices.IndexFunc(s.Ops, func(o stats.Op) bool { return o.Op == "recv" })
	if i < 0 {
		return 0
	}
	return s.Ops[i].Submitted
}

// A connection to which more comes at once than a buffer holds is received from into large buffers, and no longer when
// little comes.
func TestBulk(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		all := func(_ *event.Conn, p []byte) int { return len(p) }
		bulky(t, cfg, all, func(_ *net.TCPConn, send func([]byte) error, conn *event.Conn) error {
			if err := send(socktest.Prefix(3 << 20)); err != nil {
				return err
			}
			before := statsOf(conn.Loop())
			if n := largeMade(before); n != 1 {
				t.Errorf("%d large buffers were made, want 1", n)
			}
			for range 40 {
				if err := send([]byte{1}); err != nil {
					return err
				}
			}
			lends := (*loop.Loop)(conn.Loop().Ringo()).Lends()
			if again := received(statsOf(conn.Loop())) > received(before); again != lends {
				t.Errorf("little came by receives that are armed: %v, want %v", again, lends)
			}
			return nil
		})
	})
}

// What came in a large buffer may all be left by who pauses; behind what was left before comes no more than may be
// left.
func TestPauseInBulk(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, rest := range []int{0, 30_000} {
			const size = 3 << 20
			calls, left := 0, size
			data := func(c *event.Conn, p []byte) int {
				use := len(p)
				if len(p) < left { // or nothing would come that has it shown again
					switch calls++; calls % 3 {
					case 1:
						use = max(0, len(p)-rest)
					case 2:
						use = 0
						c.Pause()
						c.Loop().Post(c.Resume)
					}
				}
				left -= use
				return use
			}
			bulky(t, cfg, data, func(_ *net.TCPConn, send func([]byte) error, _ *event.Conn) error {
				return send(socktest.Prefix(size))
			})
		}
	})
}

// As many leases may be kept as of small buffers, and one of them is of a large one.
func TestKeepInBulk(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Leases = 4
		var kept []buf.Lease
		release := func() {
			large := 0
			for _, lease := range kept {
				if len(lease.Bytes()) > plainMost {
					large++
				}
				lease.Release()
			}
			if large > 1 {
				t.Errorf("%d of %d leases are of large buffers", large, len(kept))
			}
			kept = kept[:0]
		}
		data := func(c *event.Conn, p []byte) int {
			if len(kept) == 4 {
				release()
			}
			lease, err := c.Keep()
			if err != nil {
				t.Errorf("Keep with %d leases held: %v", len(kept), err)
				return len(p)
			}
			kept = append(kept, lease)
			return len(p)
		}
		bulky(t, cfg, data, func(_ *net.TCPConn, send func([]byte) error, conn *event.Conn) error {
			err := send(socktest.Prefix(3 << 20))
			told := make(chan bool)
			conn.Loop().Post(func() { release(); close(told) })
			<-told
			return err
		})
	})
}

// A body that does not come is an error, before the end is told.
func TestReadFullFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{100, 1 << 20} {
			var calls []string
			body := make([]byte, size)
			h := &funcs{
				open: func(c *event.Conn) {
					c.ReadFull(body, func(n int, err error) { calls = append(calls, fmt.Sprint(n, err)) })
				},
				end: func(c *event.Conn) {
					calls = append(calls, "end")
					c.ReadFull(body, func(n int, err error) { calls = append(calls, fmt.Sprint(n, err)) })
					c.Close()
				},
				close: func(_ *event.Conn, err error) { calls = append(calls, "close") },
			}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				peer.Write(socktest.Prefix(99))
				peer.CloseWrite()
				io.Copy(io.Discard, peer)
				return nil
			})
			want := fmt.Sprint([]string{"99 " + io.ErrUnexpectedEOF.Error(), "end", "0 " + net.ErrClosed.Error(),
				"close"})
			if fmt.Sprint(calls) != want {
				t.Errorf("%d bytes: called %q, want %v", size, calls, want)
			}
		}
	})
}

// Who takes one message, and pauses, is shown the next when it resumes, however many the peer has sent meanwhile.
func TestPauseBetweenMessages(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size, message = 300_000, 1000
		got, all := 0, socktest.Prefix(size)
		var why error
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetUnreadMax(message)
				c.Pause()
				c.Loop().Post(c.Resume)
			},
			data: func(c *event.Conn, p []byte) int {
				c.Pause()
				c.Loop().Post(c.Resume)
				n := min(message, len(p))
				if string(p[:n]) != string(all[got:got+n]) {
					t.Errorf("other bytes from %d on", got)
				}
				got += n
				return n
			},
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			if _, err := peer.Write(all); err != nil {
				return err
			}
			peer.CloseWrite()
			return socktest.WantEOF(peer)
		})
		if got != size {
			t.Errorf("%d bytes of %d were taken, closed with %v", got, size, why)
		}
	})
}

// ReadFulls of what is there take turns with others.
func TestReadFullTakesTurns(t *testing.T) {
	const most = 10_000 // of one turn, while others wait
	for name, of := range map[string]struct{ size, each int }{"nothing": {1, 0}, "a few bytes": {1 << 20, 4}} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				taken, alone, ticks := 0, 0, 0
				all := socktest.Prefix(of.size)
				h := &funcs{
					open: func(c *event.Conn) { c.SetUnreadMax(2 << 20) },
					data: func(c *event.Conn, p []byte) int {
						if len(p) < of.size {
							return 0
						}
						var tick func()
						tick = func() {
							alone = 0
							if ticks++; ticks < 100 {
								c.Loop().AfterFunc(0, tick)
							}
						}
						tick()
						part := make([]byte, of.each)
						var again func(int, error)
						again = func(n int, err error) {
							if err != nil || string(part) != string(all[taken:taken+n]) {
								t.Errorf("told %d, %v, or other bytes from %d on", n, err, taken)
							}
							taken += n
							alone++
							switch {
							case alone > most && ticks < 100:
								t.Errorf("%d ReadFulls, and nobody else was called", alone)
								fallthrough
							case taken == of.size, of.each == 0 && ticks == 100:
								c.Close()
							default:
								if err := c.ReadFull(part, again); err != nil {
									t.Error(err)
								}
							}
						}
						if err := c.ReadFull(part, again); err != nil {
							t.Error(err)
						}
						return 0
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					peer.Write(all)
					peer.Read(make([]byte, 1))
					return nil
				})
				if ticks != 100 || of.each > 0 && taken != of.size {
					t.Errorf("%d bytes were taken, beside %d ticks", taken, ticks)
				}
			})
		})
	}
}

// Who is refused room is told when there is some, also where the high-water mark was never reached.
func TestRefusedIsTold(t *testing.T) {
	for name, bound := range map[string]func(c *event.Conn){
		"the connection's": func(c *event.Conn) { c.SetMarks(100<<20, 1) },
		"all together's":   func(c *event.Conn) { c.SetMarks(100<<20, 100<<20); c.Loop().SetUnsentMax(1) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				p := socktest.Prefix(8 << 20)
				told := false
				h := &funcs{
					open: func(c *event.Conn) {
						bound(c)
						if c.Congested() {
							t.Error("congested before anything was written")
						}
						err := c.Write(p[:len(p)-1])
						if refused := c.Write(p[len(p)-1:]); err != nil || refused != event.ErrFull || !c.Congested() {
							t.Errorf("Write: %v, then %v; congested: %v", err, refused, c.Congested())
						}
					},
					writable: func(c *event.Conn) {
						told = true
						if err := c.Write(p[len(p)-1:]); err != nil || c.Congested() {
							t.Errorf("Write when there is room: %v; congested: %v", err, c.Congested())
						}
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					return errors.Join(socktest.WantBytes(peer, p), socktest.WantEOF(peer))
				})
				if !told {
					t.Error("OnWritable was not called")
				}
			})
		})
	}
}

// A slice is filled with what OnData has left, though nothing more comes.
func TestReadFullOfTheRest(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		got := make([]byte, 3)
		h := &funcs{data: func(c *event.Conn, p []byte) int {
			if len(p) < 5 {
				return 0
			}
			c.Loop().AfterFunc(0, func() {
				if err := c.ReadFull(got, func(n int, err error) {
					if n != len(got) || err != nil {
						t.Errorf("told %d, %v", n, err)
					}
					c.Write(got)
				}); err != nil {
					t.Error(err)
				}
			})
			return 2
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			_, err := io.WriteString(peer, "hello")
			return errors.Join(err, socktest.WantBytes(peer, []byte("llo")))
		})
	})
}

// Who pauses and resumes within one OnData, and uses something each time, is shown the rest, although no more comes:
// also more than may stay unused.
func TestResumeInOnData(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{5, 300_000} {
			each, got, all := max(1, size/100), 0, socktest.Prefix(size)
			h := &funcs{
				open: func(c *event.Conn) { c.SetUnreadMax(1000) },
				data: func(c *event.Conn, p []byte) int {
					c.Pause()
					c.Resume()
					n := min(each, len(p))
					if string(p[:n]) != string(all[got:got+n]) {
						t.Errorf("other bytes from %d on", got)
					}
					if got += n; got == size {
						c.Write([]byte{0})
					}
					return n
				},
			}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				peer.Write(all)
				return socktest.WantBytes(peer, []byte{0})
			})
		}
	})
}

// A new handler is shown what the one before has left, although no more comes: whether that has used some, or none, or
// is replaced later.
func TestSetHandlerShowsTheRest(t *testing.T) {
	const hello, rest = "hello", "and the rest"
	for name, replace := range map[string]func(c *event.Conn, h event.Handler) (used int){
		"in OnData": func(c *event.Conn, h event.Handler) int { c.SetHandler(h); return len(hello) },
		"by one who only looks": func(c *event.Conn, h event.Handler) int {
			c.SetHandler(&funcs{data: func(c *event.Conn, p []byte) int {
				c.SetHandler(h)
				return len(hello)
			}})
			return 0
		},
		"in OnData, paused": func(c *event.Conn, h event.Handler) int {
			c.Pause()
			c.SetHandler(h)
			c.Loop().Post(c.Resume)
			return len(hello)
		},
		"later": func(c *event.Conn, h event.Handler) int {
			c.Loop().AfterFunc(0, func() { c.SetHandler(h) })
			return len(hello)
		},
		"by value": func(c *event.Conn, h event.Handler) int {
			c.SetHandler(byValue{h, func() {}})
			return len(hello)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				second := &funcs{data: func(c *event.Conn, p []byte) int {
					c.Write(p)
					return len(p)
				}}
				h := &funcs{data: func(c *event.Conn, p []byte) int {
					if len(p) < len(hello+rest) {
						return 0
					}
					return replace(c, second)
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					_, err := io.WriteString(peer, hello+rest)
					return errors.Join(err, socktest.WantBytes(peer, []byte(rest)))
				})
			})
		})
	}
}

// byValue is a Handler that can't be compared.
type byValue struct {
	event.Handler
	_ func()
}

// Who sets the handler that there is, or pauses and resumes, and uses nothing is shown the same again only when more
// comes.
func TestNothingUsedIsNotShownAgain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		shown, turns := 0, 0
		h := &funcs{}
		h.data = func(c *event.Conn, p []byte) int {
			if shown++; shown == 1 {
				var idle *event.Hook
				idle = c.Loop().Idle(func() {
					if turns++; turns == 10 {
						idle.Stop()
						c.Close()
					}
				})
			}
			c.SetHandler(h)
			c.Pause()
			c.Resume()
			return 0
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			peer.Write([]byte{1})
			return socktest.WantEOF(peer)
		})
		if shown != 1 {
			t.Errorf("shown %d times", shown)
		}
	})
}
