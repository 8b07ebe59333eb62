package event_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/event"
)

// What comes goes back, of every size, and the callbacks come in their order.
func TestEcho(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{1, 64, 4097, 100_000, 3 << 20} {
			var calls []string
			var why error
			h := &funcs{
				open: func(*event.Conn) { calls = append(calls, "open") },
				data: func(c *event.Conn, p []byte) int {
					if len(calls) == 1 {
						calls = append(calls, "data")
					}
					if err := c.Write(p); err != nil {
						t.Errorf("Write: %v", err)
					}
					if c.Congested() {
						c.Pause()
					}
					return len(p)
				},
				writable: func(c *event.Conn) { c.Resume() },
				end: func(c *event.Conn) {
					calls = append(calls, "end")
					c.Close()
				},
				close: func(_ *event.Conn, err error) {
					calls = append(calls, "close")
					why = err
				},
			}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				p := pattern(size)
				sent := make(chan error, 1)
				go func() {
					_, err := peer.Write(p)
					sent <- errors.Join(err, peer.CloseWrite())
				}()
				return errors.Join(wantBytes(peer, p), <-sent, wantEOF(peer))
			})
			if want := []string{"open", "data", "end", "close"}; !slices.Equal(calls, want) || why != io.EOF {
				t.Errorf("%d bytes: called %v, closed with %v, want %v and io.EOF", size, calls, why, want)
			}
		}
	})
}

// What OnData does not use is shown again, with what has come behind it, and in one piece.
func TestUnusedIsShownAgain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 1000
		want := pattern(50 * size)
		var got []byte
		short := 0
		h := &funcs{
			data: func(c *event.Conn, p []byte) int {
				if len(p) < size {
					short++
					return 0
				}
				n := len(p) - len(p)%size
				if n > size {
					n -= size // also where more is at hand
				}
				got = append(got, p[:n]...)
				return n
			},
			end: func(c *event.Conn) { c.Close() },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			peer.SetNoDelay(true)
			for i := 0; i < len(want); i += 300 {
				if _, err := peer.Write(want[i:min(i+300, len(want))]); err != nil {
					return err
				}
			}
			return errors.Join(peer.CloseWrite(), wantEOF(peer))
		})
		if len(got) < len(want)-size || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("used %d bytes of %d, or others", len(got), len(want))
		}
	})
}

// A connection of which too much stays unused ends.
func TestUnreadMax(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why error
		h := &funcs{
			open:  func(c *event.Conn) { c.SetUnreadMax(1000) },
			data:  func(*event.Conn, []byte) int { return 0 },
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			peer.Write(pattern(1000))
			peer.Write(pattern(1))
			io.Copy(io.Discard, peer)
			return nil
		})
		if why != event.ErrUnread {
			t.Errorf("closed with %v, want ErrUnread", why)
		}
	})
}

// Either side may end first, and the other goes on.
func TestHalfClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		answer := pattern(300_000)
		h := &funcs{end: func(c *event.Conn) {
			if err := c.Write(answer); err != nil {
				t.Errorf("Write behind the peer's end: %v", err)
			}
			c.Close()
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			return errors.Join(peer.CloseWrite(), wantBytes(peer, answer), wantEOF(peer))
		})
		var got []byte
		h = &funcs{
			open: func(c *event.Conn) {
				c.Write(answer)
				if err := c.CloseWrite(); err != nil {
					t.Errorf("CloseWrite: %v", err)
				}
				if err := c.Write([]byte("more")); err == nil {
					t.Error("Write behind CloseWrite has no error")
				}
			},
			data: func(_ *event.Conn, p []byte) int {
				got = append(got, p...)
				return len(p)
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			err := errors.Join(wantBytes(peer, answer), wantEOF(peer))
			peer.Write([]byte("still here"))
			return errors.Join(err, peer.CloseWrite())
		})
		if string(got) != "still here" {
			t.Errorf("got %q behind CloseWrite", got)
		}
	})
}

// What the peer does not take is bounded: Congested, then ErrFull, and OnWritable when it goes on.
func TestSlowPeer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		p := pattern(10_000)
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
				if err := wantBytes(peer, p); err != nil {
					return err
				}
			}
			return wantEOF(peer)
		})
		if told != 1 {
			t.Errorf("OnWritable was called %d times", told)
		}
	})
}
