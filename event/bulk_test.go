package event_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/event"
	"ringo/internal/loop"
)

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
		if err := wantBytes(peer, []byte{0}); err != nil {
			return err
		}
		send := func(p []byte) error {
			told := make(chan bool)
			conn.Loop().Post(func() { want = append(want, p...); close(told) })
			<-told
			_, err := peer.Write(p)
			if err == nil {
				conn.Loop().Post(conn.Resume)
				err = wantBytes(peer, []byte{0})
			}
			return err
		}
		if err := send(pattern(much)); err != nil {
			return fmt.Errorf("much at once: %w", err)
		}
		if err := play(peer, send, conn); err != nil {
			return err
		}
		return errors.Join(peer.CloseWrite(), wantEOF(peer))
	})
}

// stats asks a loop.
func stats(e *event.Loop) ringo.Stats {
	got := make(chan ringo.Stats)
	e.Post(func() { got <- e.Ringo().Stats() })
	return <-got
}

// largeMade is how many large buffers a loop has made.
func largeMade(s ringo.Stats) int {
	i := slices.IndexFunc(s.Pools, func(p ringo.PoolStats) bool { return p.Pool == "large" })
	return s.Pools[i].Made
}

// received is how many receives a loop has submitted.
func received(s ringo.Stats) uint64 {
	i := slices.IndexFunc(s.Ops, func(o ringo.OpStats) bool { return o.Op == "recv" })
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
			if err := send(pattern(3 << 20)); err != nil {
				return err
			}
			before := stats(conn.Loop())
			if n := largeMade(before); n != 1 {
				t.Errorf("%d large buffers were made, want 1", n)
			}
			for range 40 {
				if err := send([]byte{1}); err != nil {
					return err
				}
			}
			lends := (*loop.Loop)(conn.Loop().Ringo()).Lends()
			if again := received(stats(conn.Loop())) > received(before); again != lends {
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
				return send(pattern(size))
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
			err := send(pattern(3 << 20))
			told := make(chan bool)
			conn.Loop().Post(func() { release(); close(told) })
			<-told
			return err
		})
	})
}
