package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/sock"
)

// zeroCopied runs f where writes go without a copy; elsewhere it wants that to be told.
func zeroCopied(t *testing.T, f func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer *net.TCPConn)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			err := c.SetZeroCopy(10_000)
			if has := l.Info().Name == "uring" && !lacksZeroCopy(l); !has {
				if !errors.Is(err, errors.ErrUnsupported) || c.ZeroCopy() != 0 {
					t.Fatalf("SetZeroCopy: %v, %d", err, c.ZeroCopy())
				}
			} else if err != nil || c.ZeroCopy() != 10_000 {
				t.Fatalf("SetZeroCopy: %v, %d", err, c.ZeroCopy())
			}
			f(t, l, c, peer)
		})
	})
}

func lacksZeroCopy(l *ringo.Loop) bool {
	for _, w := range l.Info().Ways {
		if w.Op == "send_zc" {
			return w.Lacks != ""
		}
	}
	return true
}

// What was written may be overwritten when Write returns, and the peer reads what it was.
func TestZeroCopy(t *testing.T) {
	zeroCopied(t, func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
		got := make(chan error, 1)
		sizes := []int{10_000, 1, 9_999, 3 << 20, 100, 64 << 10, 1 << 20}
		total := 0
		for _, n := range sizes {
			total += n
		}
		go func() {
			p := make([]byte, total)
			_, err := io.ReadFull(peer, p)
			if bad := mismatch(p, 0); err == nil && bad >= 0 {
				err = fmt.Errorf("byte %d is wrong", bad)
			}
			got <- err
		}()
		at, mem := 0, make([]byte, 3<<20)
		for _, size := range sizes {
			p := mem[:size]
			pattern(p, at)
			if n, err := c.Write(p); n != size || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			clear(p)
			at += size
		}
		if err := waiter(c)(got); err != nil {
			t.Error(err)
		}
		var sent uint64
		for _, op := range l.Stats().Ops {
			if op.Op == "send_zc" {
				sent = op.Submitted
			}
		}
		if want := uint64(4); c.ZeroCopy() > 0 && sent != want || c.ZeroCopy() == 0 && sent != 0 {
			t.Errorf("%d sends without a copy", sent)
		}
		if err := errors.Join(c.SetZeroCopy(0)); err != nil || c.ZeroCopy() != 0 {
			t.Errorf("SetZeroCopy(0): %v", err)
		}
		if err := c.SetZeroCopy(-1); err == nil {
			t.Error("SetZeroCopy(-1) gave no error")
		}
	})
}

// A write that is ended before the peer has read gives the memory back at once.
func TestZeroCopyEnds(t *testing.T) {
	for _, by := range []string{"deadline", "cancel", "close", "reset", "the peer's end"} {
		t.Run(by, func(t *testing.T) {
			zeroCopied(t, func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
				var n int
				var err error
				mem := make([]byte, 64<<20)
				task := l.Go(func() { n, err = c.Write(mem) })
				offloaded(t, l, func() error { _, err := io.ReadFull(peer, make([]byte, 1000)); return err })
				switch by {
				case "deadline":
					c.SetWriteDeadline(time.Now().Add(time.Millisecond))
				case "cancel":
					task.Cancel()
				case "close":
					c.Close()
				case "reset":
					peer.SetLinger(0)
					peer.Close()
				case "the peer's end":
					peer.Close() // with bytes unread: a reset, too
				}
				task.Wait()
				clear(mem)
				switch by {
				case "deadline":
					wantTimeout(t, "Write", err)
				case "cancel":
					wantCanceled(t, "Write", err)
				case "close":
					wantClosed(t, "Write", err)
				default:
					if !errors.Is(err, posix.ECONNRESET) && !errors.Is(err, posix.EPIPE) {
						t.Errorf("Write: %v", err)
					}
				}
				if n < 1000 || n >= len(mem) {
					t.Errorf("Write = %d", n)
				}
				if by == "deadline" && c.ZeroCopy() > 0 {
					c.SetWriteDeadline(never)
					if _, err := c.Write([]byte("more")); err == nil {
						t.Error("the connection goes on after a write that was cut")
					}
					offloaded(t, l, func() error {
						if _, err := io.Copy(io.Discard, peer); !errors.Is(err, posix.ECONNRESET) {
							t.Errorf("the peer was told %v", err)
						}
						return nil
					})
				}
			})
		})
	}
}
