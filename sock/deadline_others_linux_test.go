//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// churnFor is for how long a deadline is moved under a method. A deadline that is looked at
// twice is seen within a tenth of it, as a rule.
const churnFor = 200 * time.Millisecond

// churn moves a deadline into the past and clears it at once, again and again: the usual
// way to abort what another waits for.
func churn(t *testing.T, set func(time.Time) error) (stop func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !over.Load(); i++ {
			if err := errors.Join(set(longAgo), set(never)); err != nil {
				t.Error(err)
				return
			}
			if i%32 == 0 {
				runtime.Gosched()
			}
		}
	})
	return func() { over.Store(true); wg.Wait() }
}

// churned has f called by the calling task while a deadline is moved, again and again. Its
// errors must be that of the deadline.
func churned(t *testing.T, l *ringo.Loop, set func(time.Time) error, f func() error) {
	t.Helper()
	stop := churn(t, set)
	var err error
	for end := time.Now().Add(churnFor); time.Now().Before(end) &&
		(err == nil || errors.Is(err, os.ErrDeadlineExceeded)); {
		err = f()
	}
	offloaded(t, l, func() error { stop(); return nil })
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while its deadline was moved a call ended with %v", err)
	}
}

var errNothing = errors.New("neither bytes nor an error")

// some is the error of a read that gave nothing without saying why.
func some[N int | int64](n N, err error) error {
	if n == 0 && err == nil {
		return errNothing
	}
	return err
}

// Somebody moves a read deadline into the past and clears it microseconds later, while a
// task reads: it gets bytes, or os.ErrDeadlineExceeded, and no byte is lost.
func TestReadDeadlineMovedByOthers(t *testing.T) {
	t.Parallel()
	var got []byte
	p := make([]byte, 64)
	took := func(n int) { got = append(got, p[:n]...) }
	stranger := writerFunc(func(p []byte) (int, error) { got = append(got, p...); return len(p), nil })
	for _, m := range []struct {
		name string
		unix bool
		read func(l *ringo.Loop, c, d *sock.Conn) error
	}{
		{"Read", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, err := c.Read(p)
			took(n)
			return some(n, err)
		}},
		{"ReadV", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, err := c.ReadV([][]byte{p[:1], p[1:]})
			took(int(n))
			return some(n, err)
		}},
		{"Next", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			lease, err := c.Next()
			if err != nil {
				return err
			}
			defer lease.Release()
			got = append(got, lease.Bytes()...)
			return some(len(lease.Bytes()), nil)
		}},
		{"Peek", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			b, err := c.Peek(c.Buffered() + 1)
			n := len(b)
			got = append(got, b...)
			if m, err := c.Discard(n); m != n || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Discard of %d bytes that were shown = %d, %v", n, m, err)
			}
			return some(n, err)
		}},
		{"Discard", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, err := c.Discard(3)
			for range n {
				got = append(got, byteAt(len(got))) // nobody sees them
			}
			if n < 3 && err == nil {
				return errNothing
			}
			return err
		}},
		{"WriteTo", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			before := len(got)
			n, err := c.WriteTo(stranger)
			if int(n) != len(got)-before {
				t.Errorf("WriteTo = %d, for %d bytes", n, len(got)-before)
			}
			return err
		}},
		{"Copy", false, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, err := io.Copy(d, c)
			for range n {
				got = append(got, byteAt(len(got))) // d's peer is not asked
			}
			return err
		}},
		{"ReadMsgUnix", true, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, _, _, _, err := c.ReadMsgUnix(p, nil)
			took(n)
			return some(n, err)
		}},
		{"RecvFiles", true, func(l *ringo.Loop, c, d *sock.Conn) error {
			n, _, err := c.RecvFiles(p, 1)
			took(n)
			return some(n, err)
		}},
	} {
		t.Run(m.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				got = nil
				onLoop(t, cfg, func(l *ringo.Loop) {
					ln, network := listen(t, l), "tcp"
					if m.unix {
						ln.Close()
						network = "unix"
						ln = listenUnix(t, l, network, abstractName())
					}
					defer ln.Close()
					ends := func() (net.Conn, *sock.Conn) {
						peer, err := net.DialTimeout(network, ln.Addr().String(), patience)
						if err != nil {
							t.Fatal(err)
						}
						c, err := ln.AcceptConn()
						if err != nil {
							t.Fatal(err)
						}
						return peer, c
					}
					peer, c := ends()
					sink, d := ends()
					defer c.Close()
					defer d.Close()
					defer peer.Close()
					defer sink.Close()
					var over atomic.Bool
					var wg sync.WaitGroup
					wg.Go(func() { io.Copy(io.Discard, sink) })
					sent := 0
					wg.Go(func() { // small pieces, with nothing between them
						for b := make([]byte, 64); !over.Load(); time.Sleep(time.Millisecond) {
							n := 1 + sent%len(b)
							pattern(b[:n], sent)
							peer.Write(b[:n])
							sent += n
						}
						peer.Close()
					})
					churned(t, l, c.SetReadDeadline, func() error { return m.read(l, c, d) })
					over.Store(true)
					for err := error(nil); err == nil && !t.Failed(); {
						before := len(got)
						if err = m.read(l, c, d); err == nil && len(got) == before {
							break // WriteTo's end
						}
						if err != nil && err != io.EOF {
							t.Error(err)
						}
					}
					d.Close()
					peer.Close()
					offloaded(t, l, func() error { wg.Wait(); return nil })
					if bad := mismatch(got, 0); bad >= 0 || len(got) != sent && !t.Failed() {
						t.Errorf("%d bytes came of %d, the first wrong one at %d", len(got), sent, bad)
					}
				})
			})
		})
	}
}

// Somebody moves a write deadline while a task writes to a peer that is slow: it gets
// os.ErrDeadlineExceeded and never hears of a cancel, and what it is told went out.
func TestWriteDeadlineMovedByOthers(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "data")
	const size = 1 << 20
	data := make([]byte, size)
	pattern(data, 0)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, m := range []struct {
		name  string
		unix  bool
		write func(c, src *sock.Conn, at int) (int, error) // from this byte of the pattern on
	}{
		{"Write", false, func(c, _ *sock.Conn, at int) (int, error) { return c.Write(data[at%size:]) }},
		{"WriteV", false, func(c, _ *sock.Conn, at int) (int, error) {
			at %= size
			n, err := c.WriteV([][]byte{data[at : at+(size-at)/2], data[at+(size-at)/2:]})
			return int(n), err
		}},
		{"ReadFrom", false, func(c, _ *sock.Conn, at int) (int, error) {
			r, err := os.Open(name)
			if err != nil {
				return 0, err
			}
			defer r.Close()
			r.Seek(int64(at%size), io.SeekStart)
			n, err := c.ReadFrom(r)
			return int(n), err
		}},
		{"SendFile", false, func(c, _ *sock.Conn, at int) (int, error) {
			return c.SendFile(nil, file, int64(at%size), int64(size-at%size))
		}},
		{"WriteMsgUnix", true, func(c, _ *sock.Conn, at int) (int, error) {
			n, _, err := c.WriteMsgUnix(data[at%size:], nil, nil)
			return n, err
		}},
	} {
		t.Run(m.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				body := func(l *ringo.Loop, c *sock.Conn, peer net.Conn) {
					var wg sync.WaitGroup
					got := 0
					wg.Go(func() {
						for p := make([]byte, 40_000); ; time.Sleep(100 * time.Microsecond) {
							n, err := peer.Read(p)
							for i, b := range p[:n] {
								if b != data[(got+i)%size] {
									t.Errorf("wrong byte at %d", got+i)
									return
								}
							}
							if got += n; err != nil {
								return
							}
						}
					})
					sent := 0
					churned(t, l, c.SetWriteDeadline, func() error {
						n, err := m.write(c, nil, sent)
						sent += n
						return err
					})
					c.CloseWrite()
					offloaded(t, l, func() error { wg.Wait(); return nil })
					if got != sent {
						t.Errorf("%d bytes came of %d", got, sent)
					}
				}
				if m.unix {
					unixPair(t, cfg, "unix", func(l *ringo.Loop, c *sock.Conn, peer *net.UnixConn) { body(l, c, peer) })
				} else {
					pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) { body(l, c, peer) })
				}
			})
		})
	}
}

// The same with datagrams that go, to a socket whose queue is full.
func TestPacketWriteDeadlineMovedByOthers(t *testing.T) {
	t.Parallel()
	p := []byte("datagram")
	for name, write := range map[string]func(c *sock.UnixPacketConn) error{
		"Write": func(c *sock.UnixPacketConn) error { return some(c.Write(p)) },
		"WriteMsgUnix": func(c *sock.UnixPacketConn) error {
			n, _, err := c.WriteMsgUnix(p, nil, nil)
			return some(n, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					name := abstractName()
					peer, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
					if err != nil {
						t.Fatal(err)
					}
					defer peer.Close()
					c, err := sock.DialUnixgram(l, name)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					churned(t, l, c.SetWriteDeadline, func() error { return write(c) })
				})
			})
		})
	}
}
