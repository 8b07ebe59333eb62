package event_test

import (
	"net"
	"testing"

	"ringo"
	"ringo/event"
)

// Who takes one message, and pauses, is shown the next when it resumes, however many the peer has sent meanwhile.
func TestPauseBetweenMessages(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size, message = 300_000, 1000
		got, all := 0, pattern(size)
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
			return wantEOF(peer)
		})
		if got != size {
			t.Errorf("%d bytes of %d were taken, closed with %v", got, size, why)
		}
	})
}

// Who leaves more than it may, and does not pause, is ended.
func TestUnreadOfOwnWill(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why error
		h := &funcs{
			open: func(c *event.Conn) { c.SetUnreadMax(1000) },
			data: func(c *event.Conn, p []byte) int {
				c.Pause()
				c.Resume()
				return 0
			},
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			peer.Write(pattern(2000))
			peer.Read(make([]byte, 1))
			return nil
		})
		if why != event.ErrUnread {
			t.Errorf("closed with %v, want ErrUnread", why)
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
				all := pattern(of.size)
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
