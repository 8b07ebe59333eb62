package event_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// Who says nothing, and who takes nothing, ends by Base, with the error of a deadline.
func TestTimeoutEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range []string{"read", "write"} {
			var why, told error
			closed := make(chan bool)
			h := &funcs{
				open: func(c *event.Conn) {
					if way == "read" {
						c.SetTimeouts(10*time.Millisecond, 0)
						return
					}
					c.SetMarks(1, 100<<20)
					c.SetTimeouts(0, 10*time.Millisecond)
					if err := c.WriteThen(make([]byte, 16<<20), func(err error) { told = err }); err != nil {
						t.Error(err)
					}
				},
				close: func(_ *event.Conn, err error) {
					why = err
					close(closed)
				},
			}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				<-closed
				return nil
			})
			var op *net.OpError
			if !errors.Is(why, os.ErrDeadlineExceeded) || !errors.As(why, &op) || op.Op != way || !op.Timeout() ||
				way == "write" && told == nil {
				t.Errorf("%s: closed with %v, the write was told %v", way, why, told)
			}
		}
	})
}

// OnTimeout is called again and again, of what it is asked for, and by who asks last; in OnTimeout a connection may be
// closed.
func TestTimeoutAgain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told []event.Timeout
		var why error = io.EOF
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetTimeouts(0, 0)
				c.SetTimeouts(time.Hour, time.Hour)
				c.SetTimeouts(5*time.Millisecond, time.Millisecond)
			},
			close: func(_ *event.Conn, err error) { why = err },
		}
		h.timeout = func(c *event.Conn, what event.Timeout) {
			if told = append(told, what); len(told) == 3 {
				c.Close()
			}
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error { return socktest.WantEOF(peer) })
		if !slices.Equal(told, []event.Timeout{event.ReadTimeout, event.ReadTimeout, event.ReadTimeout}) || why != nil {
			t.Errorf("told %v, closed with %v", told, why)
		}
	})
}

// Nothing has to come while a connection is paused, or behind the peer's end.
func TestNoTimeout(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pausedNow, again := true, make(chan bool)
		told, behind := 0, 0
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetTimeouts(5*time.Millisecond, 0)
				c.Pause()
				c.Loop().AfterFunc(30*time.Millisecond, func() {
					pausedNow = false
					c.Resume()
				})
			},
			end: func(c *event.Conn) {
				behind = told
				c.Loop().AfterFunc(30*time.Millisecond, c.Close)
			},
			close: func(*event.Conn, error) {
				if told != behind {
					t.Error("told behind the peer's end")
				}
			},
		}
		h.timeout = func(_ *event.Conn, what event.Timeout) {
			if told++; told == 1 {
				close(again)
			}
			if pausedNow || what != event.ReadTimeout {
				t.Errorf("told of %v, paused: %v", what, pausedNow)
			}
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			<-again
			peer.CloseWrite()
			return socktest.WantEOF(peer)
		})
	})
}

// Where a write may time out the kernel tells of each part that it takes, whoever came first.
func TestWriteTimeoutSeesParts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, before := range []bool{true, false} {
			w := &watcher{}
			full := func() int {
				n := 0
				for _, o := range w.flying {
					if o.Code == op.Send && o.Flags&op.Full != 0 && !o.Canceled {
						n++
					}
				}
				return n
			}
			p := socktest.Prefix(16 << 20)
			told := error(io.EOF)
			h := &funcs{open: func(c *event.Conn) {
				c.SetMarks(1, 100<<20)
				if before {
					c.SetTimeouts(0, time.Hour)
				}
				c.WriteThen(p, func(err error) { told = err })
				if n := full(); !before && n != 1 {
					t.Errorf("%d sends are whole without a timeout", n)
				}
				c.SetTimeouts(0, time.Hour)
				if n := full(); n != 0 {
					t.Errorf("%d sends are whole, timeout first: %v", n, before)
				}
				c.Close()
			}}
			watched(t, cfg, w, h, func(peer *net.TCPConn) {
				peer.SetDeadline(patience.Deadline())
				if err := errors.Join(socktest.WantBytes(peer, p), socktest.WantEOF(peer)); err != nil {
					t.Error(err)
				}
			})
			if told != nil {
				t.Errorf("told %v", told)
			}
		}
	})
}

// What came while the loop stood still came in time, although the loop learns of both at once: of many connections,
// more than a driver or a turn tells of at a time.
func TestTimeoutsOfALateLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Budget = 1
		const conns = 300
		if cfg.Driver != socktest.World {
			testmain.NeedDescriptors(t, 2*conns+100)
		}
		var open []*event.Conn
		all := make(chan bool)
		h := &funcs{
			open: func(c *event.Conn) {
				if open = append(open, c); len(open) == conns {
					close(all)
				}
			},
			data: func(c *event.Conn, p []byte) int {
				c.SetTimeouts(0, 0)
				c.Write(p)
				return len(p)
			},
			timeout: func(*event.Conn, event.Timeout) { t.Error("a connection on which something came has timed out") },
		}
		onLoop(t, cfg, func(l *event.Loop) {
			ln, err := l.Listen("tcp", "127.0.0.1:0", h)
			if err != nil {
				t.Fatal(err)
			}
			outside(t, l, func() error {
				defer l.Ringo().Post(ln.Close)
				var peers []net.Conn
				for range conns {
					c, err := net.Dial("tcp", ln.Addr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					peers = append(peers, c)
				}
				<-all
				held, release := make(chan bool), make(chan bool)
				l.Ringo().Post(func() {
					for i, c := range open { // the timers of those are first that are told last
						c.SetTimeouts(time.Millisecond-time.Duration(i)*time.Microsecond, 0)
					}
					close(held)
					<-release
				})
				<-held
				for _, c := range peers {
					if _, err := c.Write([]byte("x")); err != nil {
						return err
					}
				}
				time.Sleep(2 * time.Millisecond) // until they are over
				close(release)
				for _, c := range peers {
					if err := socktest.WantBytes(c, []byte("x")); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// What came in time is told although the loop's thread stands still behind a look at what has come, until the timeout
// is over: the timer that fires then is an old one, and the byte came behind the look.
func TestTimeoutBehindALook(t *testing.T) {
	const unit = 10 * time.Millisecond
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		w := &watcher{}
		standsStill(t, cfg, w, 10*unit, 1, func(clock *stillClock, stand func()) {
			clock.jump(6 * unit) // so that the timer is due, and not the timeout
			w.looked = func() {
				w.looked = nil
				stand()
			}
		})
	})
}

// What came in time is told although the receive is begun anew just then: a look tells of its end, and of no byte.
func TestTimeoutOfANewReceive(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		t.Run("bulk", func(t *testing.T) {
			standsStill(t, cfg, &watcher{}, time.Second/2, 5000, func(_ *stillClock, stand func()) { stand() })
		})
		t.Run("doubt", func(t *testing.T) {
			w := &watcher{}
			standsStill(t, cfg, w, time.Hour, 1, func(clock *stillClock, stand func()) {
				clock.jump(time.Hour * 6 / 10) // the receive was quiet for long
				w.looked = func() {
					w.looked = nil
					stand()
				}
			})
		})
	})
}

// standsStill has a connection with a timeout read size bytes at its half. late is called then, and has stand called:
// the loop stands still for another of the timeout's time, in which a byte comes.
func standsStill(t *testing.T, cfg ringo.Config, w *watcher, timeout time.Duration, size int,
	late func(clock *stillClock, stand func())) {
	var clock stillClock
	came := 0
	opened, peers := make(chan bool), make(chan net.Conn, 1)
	stand := func() {
		clock.jump(timeout * 9 / 10)
		if _, err := (<-peers).Write([]byte("x")); err != nil {
			t.Error(err)
		}
		clock.jump(timeout / 5)
	}
	h := &funcs{
		open: func(c *event.Conn) {
			c.SetTimeouts(timeout, 0)
			clock.jump(timeout / 2)
			c.Loop().AfterFunc(0, func() { close(opened) }) // in another turn, which sees that
		},
		data: func(c *event.Conn, p []byte) int {
			came += len(p)
			switch came {
			case size:
				late(&clock, stand)
			case size + 1:
				c.Close()
			}
			return len(p)
		},
		timeout: func(c *event.Conn, _ event.Timeout) {
			t.Error("what came in time was too late")
			c.Close()
		},
	}
	change := func(c *loop.Config) { c.Clock = clock.now }
	onChanged(t, cfg, w, change, func(l *event.Loop) {
		addr := listenOnce(t, l, h)
		outside(t, l, func() error {
			c, err := net.DialTimeout("tcp", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			<-opened
			peers <- c
			if _, err := c.Write(make([]byte, size)); err != nil {
				return err
			}
			return socktest.WantEOF(c)
		})
	})
	if came != size+1 {
		t.Errorf("%d bytes came, want %d", came, size+1)
	}
}
