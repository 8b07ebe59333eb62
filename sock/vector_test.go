package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/internal/posix"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// asAll runs f as a task of the loop, on a goroutine, and in an iterator of a task,
// each with a connection and its peer.
func asAll(t *testing.T, f func(t *testing.T, c *sock.Conn, peer tcpPeer)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, who := range []string{"task", "goroutine", "iterator"} {
			t.Run(who, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					switch who {
					case "task":
						f(t, c, peer)
					case "goroutine":
						onGoroutine(t, l, func() { f(t, c, peer) })
					case "iterator":
						inIterator(func() { f(t, c, peer) })
					}
				})
			})
		}
	})
}

// pieces cuts p into slices of up to most bytes, with empty ones between.
func pieces(p []byte, most int) (list [][]byte) {
	for len(p) > 0 {
		n := min(len(p), rand.IntN(most+1))
		list = append(list, p[:n:n])
		p = p[n:]
	}
	return append(list, nil)
}

// What is written in slices, of all sizes and however many, is the stream.
func TestWriteV(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait := waiter(c)
		const size = 3 << 20
		got := make(chan error, 1)
		go func() {
			p := make([]byte, size)
			_, err := io.ReadFull(peer, p)
			if bad := mismatch(p, 0); err == nil && bad >= 0 {
				err = errors.New("a wrong byte came")
			}
			got <- err
		}()
		at := 0
		for _, most := range []int{0, 3, 100, 1000, 5000, 100_000, 2 << 20} {
			p := make([]byte, min(size-at, (most+1)*50))
			if most == 2<<20 {
				p = make([]byte, size-at)
			}
			pattern(p, at)
			list := pieces(p, max(most, 1))
			if most == 0 {
				list, p = [][]byte{nil, {}}, nil
			}
			n, err := c.WriteV(list)
			if n != int64(len(p)) || err != nil {
				t.Fatalf("WriteV of %d slices = %d, %v, want %d", len(list), n, err, len(p))
			}
			if !bytes.Equal(bytes.Join(list, nil), p) {
				t.Fatal("WriteV changed what it was given")
			}
			at += len(p)
		}
		if err := wait(got); err != nil {
			t.Error(err)
		}
	})
}

// What comes is read into slices, at most what there is, and nothing beyond it is touched.
func TestReadV(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		const size = 1 << 20
		go func() {
			p := make([]byte, size)
			pattern(p, 0)
			peer.Write(p)
			peer.CloseWrite()
		}()
		if n, err := c.ReadV([][]byte{nil, {}}); n != 0 || err != nil {
			t.Errorf("ReadV into nothing = %d, %v", n, err)
		}
		at := 0
		for at < size {
			p := make([]byte, 1+rand.IntN(60_000))
			list := pieces(p, 1+rand.IntN(10_000))
			n, err := c.ReadV(list)
			if err != nil || n < 1 || n > int64(len(p)) {
				t.Fatalf("ReadV at %d = %d, %v", at, n, err)
			}
			if bad := mismatch(p[:n], at); bad >= 0 {
				t.Fatalf("byte %d is wrong", bad)
			}
			if i := bytes.IndexFunc(p[n:], func(r rune) bool { return r != 0 }); i >= 0 {
				t.Fatalf("ReadV of %d bytes wrote to byte %d", n, int(n)+i)
			}
			at += int(n)
		}
		if n, err := c.ReadV([][]byte{make([]byte, 5)}); n != 0 || err != io.EOF {
			t.Errorf("ReadV at the end = %d, %v, want EOF", n, err)
		}
	})
}

// Unread bytes come first, also when they don't fill the slices.
func TestReadVAfterPeek(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		send(t, peer, "0123456789")
		if p, err := c.Peek(4); string(p) != "0123" || err != nil {
			t.Fatalf("Peek = %q, %v", p, err)
		}
		a, b := make([]byte, 3), make([]byte, 100)
		n, err := c.ReadV([][]byte{a, b})
		if got := string(a) + string(b[:max(n-3, 0)]); got != "0123456789"[:n] || n < 4 || err != nil {
			t.Errorf("ReadV = %d, %v: %q", n, err, got)
		}
	})
}

func TestVectorErrors(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		big := [][]byte{make([]byte, 40<<20), make([]byte, 40<<20)}
		c.SetDeadline(time.Now().Add(5 * time.Millisecond))
		n, err := c.ReadV([][]byte{make([]byte, 5)})
		if n != 0 {
			t.Errorf("ReadV of nothing = %d", n)
		}
		wantTimeout(t, "ReadV", err)
		n, err = c.WriteV(big)
		if n <= 0 && time.Until(time.Now()) > 0 || n >= 80<<20 {
			t.Errorf("WriteV = %d", n)
		}
		wantTimeout(t, "WriteV", err)
		c.SetDeadline(never)

		peer.SetLinger(0)
		peer.Close()
		_, err = c.ReadV([][]byte{make([]byte, 5)})
		if !errors.Is(err, posix.ECONNRESET) {
			t.Errorf("ReadV after a reset: %v", err)
		}
		_, err = c.WriteV([][]byte{{1}, {2}})
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, posix.EPIPE) &&
			!errors.Is(err, posix.ECONNRESET) {
			t.Errorf("WriteV after a reset: %v", err)
		}
		c.Close()
		_, err = c.ReadV([][]byte{make([]byte, 5)})
		wantClosed(t, "ReadV", err)
		_, err = c.WriteV([][]byte{make([]byte, 5)})
		wantClosed(t, "WriteV", err)
	})
}

// A lease that is handed over is released, whatever becomes of it.
func TestWriteLease(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		for i := range 20 { // more than may be held
			text := "message " + string(rune('a'+i))
			send(t, peer, text)
			lease, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := c.WriteLease(lease); n != len(text) || err != nil {
				t.Fatalf("WriteLease = %d, %v", n, err)
			}
			if err := c.Flush(); err != nil { // the task waits for the peer otherwise than through Ringo
				t.Fatal(err)
			}
			p := make([]byte, len(text))
			if _, err := io.ReadFull(peer, p); err != nil || string(p) != text {
				t.Fatalf("the peer read %q, %v", p, err)
			}
			wantReleased(t, lease)
		}
		send(t, peer, "unsent")
		lease, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		c.SetWriteDeadline(longAgo)
		_, err = c.WriteLease(lease)
		wantTimeout(t, "WriteLease", err)
		wantReleased(t, lease)
		send(t, peer, "closed")
		if lease, err = c.Next(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		_, err = c.WriteLease(lease)
		wantClosed(t, "WriteLease", err)
		wantReleased(t, lease)
		if n, err := c.WriteLease(buf.Lease{}); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteLease of nothing = %d, %v", n, err)
		}
	})
}

func wantReleased(t *testing.T, lease buf.Lease) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("a lease that was handed over could be released")
		}
	}()
	lease.Release()
}

// While a slow peer keeps a lease's bytes waiting, its buffer is there for others.
func TestWriteLeaseSlowly(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			from, in := connect(t, l)
			defer from.Close()
			defer in.Close()
			c.SetWriteBuffer(65536)
			peer.SetReadBuffer(65536)
			written := 0
			task := l.Go(func() {
				for {
					lease, err := from.Next()
					if err != nil {
						return
					}
					n, err := c.WriteLease(lease)
					written += n
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
			const size = 8 << 20
			go func() {
				p := make([]byte, size)
				pattern(p, 0)
				in.Write(p)
				in.CloseWrite()
			}()
			eventuallyOn(t, l, "a full connection", func() bool {
				before := written
				l.Sleep(5 * time.Millisecond)
				return written > 0 && written == before
			})
			if held := l.Stats().Buffers; held > 4+64 { // see Config.Leases
				t.Errorf("%d buffers are held, want what one connection may hold unread", held)
			}
			offloaded(t, l, func() error {
				p := make([]byte, size)
				_, err := io.ReadFull(peer, p)
				if bad := mismatch(p, 0); err == nil && bad >= 0 {
					t.Errorf("byte %d is wrong", bad)
				}
				return err
			})
			task.Wait()
			if written != size {
				t.Errorf("%d bytes were written of %d", written, size)
			}
		})
	})
}

// zeroCopied runs f where writes go without a copy; elsewhere it wants that to be told.
func zeroCopied(t *testing.T, f func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer tcpPeer)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
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
	zeroCopied(t, func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
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
			zeroCopied(t, func(t *testing.T, l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
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
					if err := socktest.Lockable(mem); err != nil {
						t.Skip("so much is sent by a copy: ", err)
					}
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

// Slices wait for a slow peer, and a close or a cancel ends that with the count.
func TestWriteVEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, by := range []string{"close", "cancel"} {
			t.Run(by, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					var n int64
					var err error
					task := l.Go(func() { n, err = c.WriteV(pieces(make([]byte, 64<<20), 1000)) })
					l.Sleep(3 * time.Millisecond)
					if by == "close" {
						c.Close()
					} else {
						task.Cancel()
					}
					task.Wait()
					if by == "close" {
						wantClosed(t, "WriteV", err)
					} else {
						wantCanceled(t, "WriteV", err)
					}
					peer.SetLinger(0)
					c.SetLinger(0)
					if n <= 0 || n >= 64<<20 {
						t.Errorf("WriteV = %d", n)
					}
				})
			})
		}
	})
}
