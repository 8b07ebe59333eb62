//go:build linux

package event_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Who is refused room behind a file is told when there is some, though the file has no bytes in memory.
func TestRefusedBehindFile(t *testing.T) {
	for name, bound := range map[string]func(c *event.Conn){
		"the connection's": func(c *event.Conn) { c.SetMarks(100<<20, 0) },
		"all together's":   func(c *event.Conn) { c.Loop().SetUnsentMax(1) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				f, err := os.Open(sources(t))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				told := 0
				h := &funcs{
					open: func(c *event.Conn) {
						bound(c)
						err := c.SendFile(f, 0, streamMax, nil)
						refused := c.Write([]byte("tail"))
						if err != nil || refused != event.ErrFull || !c.Congested() {
							t.Errorf("SendFile: %v; Write: %v; congested: %v", err, refused, c.Congested())
						}
					},
					writable: func(c *event.Conn) {
						told++
						if err := c.Write([]byte("tail")); err != nil || c.Congested() {
							t.Errorf("Write when there is room: %v; congested: %v", err, c.Congested())
						}
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					return errors.Join(wantBytes(peer, append(pattern(streamMax), "tail"...)), wantEOF(peer))
				})
				if told != 1 {
					t.Errorf("OnWritable was called %d times", told)
				}
			})
		})
	}
}

// What waits is bounded also where it has no bytes in memory; who is refused is told when there is room again.
func TestPiecesAreBounded(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, write := range map[string]func(c *event.Conn, then func(error)) error{
		"SendFile":       func(c *event.Conn, then func(error)) error { return c.SendFile(f, 0, 10, then) },
		"empty SendFile": func(c *event.Conn, then func(error)) error { return c.SendFile(f, 0, 0, then) },
		"WriteThen":      func(c *event.Conn, then func(error)) error { return c.WriteThen(nil, then) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				const most = 100_000
				var taken, told, writable int
				tell := func(err error) {
					if told++; err != nil {
						t.Errorf("was told %v", err)
					}
				}
				full := make(chan bool)
				h := &funcs{
					open: func(c *event.Conn) {
						c.SetMarks(100<<20, 100<<20)
						crowd(t, c)
						var err error
						for taken = 0; taken < most && err == nil; taken++ {
							err = write(c, tell)
						}
						if taken--; err != event.ErrFull || !c.Congested() {
							t.Errorf("%d were taken, then %v; congested: %v", taken, err, c.Congested())
							c.Abort()
						}
						close(full)
					},
					writable: func(c *event.Conn) {
						if writable++; writable > 1 {
							return
						}
						if err := write(c, tell); err != nil || c.Congested() {
							t.Errorf("when there is room: %v; congested: %v", err, c.Congested())
						}
						taken++
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					<-full
					_, err := io.Copy(io.Discard, peer)
					return err
				})
				if told != taken || taken < 100 || writable != 1 {
					t.Errorf("%d of %d were told, OnWritable was called %d times", told, taken, writable)
				}
			})
		})
	}
}

// An Abort beside a Detach ends the connection, and Detach says so; nothing is sent behind what was dropped.
func TestAbortBesideDetach(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var failed, why, dropped error
		closed := 0
		gone := make(chan bool)
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetMarks(100<<20, 100<<20)
				crowd(t, c)
				if err := c.WriteThen([]byte("dropped"), func(err error) { dropped = err }); err != nil {
					t.Error(err)
				}
				r := c.Loop().Ringo()
				r.Go(func() {
					r.Go(c.Abort) // runs when Detach has parked
					var s *sock.Conn
					if s, failed = c.Detach(); s != nil {
						s.Write([]byte("behind"))
						s.Close()
					}
				})
			},
			close: func(_ *event.Conn, err error) {
				why, closed = err, closed+1
				close(gone)
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			<-gone
			got, _ := io.ReadAll(peer)
			for i, b := range got {
				if b != socktest.ByteAt(i%(1<<20)) {
					return fmt.Errorf("byte %d of %d is another", i, len(got))
				}
			}
			return nil
		})
		if !errors.Is(failed, net.ErrClosed) || !errors.Is(dropped, net.ErrClosed) || why != nil || closed != 1 {
			t.Errorf("Detach: %v; was told %v; closed %d times, with %v", failed, dropped, closed, why)
		}
	})
}

// A function that is told of the end of a write is a callback of its connection, which ends with its panic.
func TestPanicOfToldFunction(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	oops := func(error) { panic("oops") }
	for name, write := range map[string]func(c *event.Conn) error{
		"WriteThen":         func(c *event.Conn) error { return c.WriteThen([]byte("x"), oops) },
		"WriteThen of much": func(c *event.Conn) error { return c.WriteThen(make([]byte, 8<<20), oops) },
		"SendFile":          func(c *event.Conn) error { return c.SendFile(f, 0, 10, oops) },
		"WriteThen of much, Close": func(c *event.Conn) error {
			defer c.Close()
			return c.WriteThen(make([]byte, 8<<20), oops)
		},
		"ReadFull": func(c *event.Conn) error { return c.ReadFull(nil, func(int, error) { oops(nil) }) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				var why error
				h := &funcs{
					open: func(c *event.Conn) {
						if err := write(c); err != nil {
							t.Error(err)
						}
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					_, err := io.Copy(io.Discard, peer)
					return err
				})
				if why != event.ErrNoReturn {
					t.Errorf("closed with %v, want ErrNoReturn", why)
				}
			})
		})
	}
}

// A connection that is being dialled says so, and not that it is closed.
func TestNotOpenYet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *event.Loop) {
			ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
			if err != nil {
				t.Fatal(err)
			}
			c := l.Dial("tcp", ln.Addr().String(), event.Base{})
			_, detach := c.Detach()
			for what, err := range map[string]error{"Write": c.Write(nil), "CloseWrite": c.CloseWrite(),
				"Detach": detach, "ReadFull": c.ReadFull(nil, func(int, error) {})} {
				if err == nil || errors.Is(err, net.ErrClosed) {
					t.Errorf("%s before OnOpen: %v", what, err)
				}
			}
			l.Stop()
		})
	})
}
