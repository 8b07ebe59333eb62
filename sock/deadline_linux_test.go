//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

// churnFor is for how long a deadline is moved under a method. A deadline that is looked at
// twice is seen within a tenth of it, as a rule.
const churnFor = 100 * time.Millisecond

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
						peer, err := net.DialTimeout(network, ln.Addr().String(), patience.Max)
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
					unixPair(t, cfg, "unix", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) { body(l, c, peer) })
				} else {
					pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) { body(l, c, peer) })
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

// Deadlines of goroutines by any clock, near and far: before a call that need not wait, and before one that must.
func TestForeignDeadlinesByAnyClock(t *testing.T) {
	now := time.Now()
	limits := map[string]struct {
		at     time.Time
		passed bool
	}{
		"none":                        {time.Time{}, false},
		"a minute on":                 {now.Add(time.Minute), false},
		"a minute on, time of day":    {now.Add(time.Minute).Round(0), false},
		"a minute on, in UTC":         {now.Add(time.Minute).Round(0).UTC(), false},
		"as far as a Duration":        {now.Add(1<<63 - 1), false},
		"the year 9999":               {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"a minute ago":                {now.Add(-time.Minute), true},
		"a minute ago, time of day":   {now.Add(-time.Minute).Round(0), true},
		"before the process":          {now.Add(-1000 * time.Hour), true},
		"1970":                        {time.Unix(0, 0), true},
		"1970 and a nanosecond":       {time.Unix(0, 1), true},
		"the year 2":                  {time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), true},
		"as far back as a Duration":   {now.Add(-1 << 63), true},
		"a nanosecond ago, this time": {now.Add(-1), true},
	}
	kinds := map[string]func(l *ringo.Loop, c *sock.Conn){
		"detached": func(*ringo.Loop, *sock.Conn) {},
		"attended": func(l *ringo.Loop, c *sock.Conn) {
			l.Go(func() { c.SetNoDelay(true) }).Wait()
		},
		"read by a task before": func(l *ringo.Loop, c *sock.Conn) {
			l.Go(func() { c.Read(make([]byte, 1)) }).Wait()
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for kind, before := range kinds {
			detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
				c, peer := next()
				defer peer.Close()
				defer c.Close()
				want := func(name, call string, err error, passed bool) {
					t.Helper()
					if errors.Is(err, os.ErrDeadlineExceeded) != passed || err != nil && !passed {
						t.Errorf("%s, %s: %s: %v; passed: %v", kind, name, call, err, passed)
					}
				}
				p := make([]byte, 1)
				peer.Write(bytes.Repeat([]byte("x"), 1+2*len(limits)))
				before(l, c)
				for name, limit := range limits {
					if err := c.SetDeadline(limit.at); err != nil {
						t.Error(err)
					}
					n, err := c.Write(p)
					want(name, "write", err, limit.passed)
					if limit.passed && n != 0 {
						t.Errorf("%s, %s: %d bytes went out behind the deadline", kind, name, n)
					}
					if limit.passed { // and there is something to read
						_, err = c.Read(p)
						want(name, "read", err, true)
					} else {
						_, err = c.Read(p)
						want(name, "read", err, false)
						l.Go(func() { _, err = c.Read(p) }).Wait() // a task sees the same
						want(name, "a task's read", err, false)
					}
				}
				c.SetDeadline(time.Time{})
				for range 2 { // with a descriptor that waits, too
					c.SetReadDeadline(time.Now().Add(5 * time.Millisecond).Round(0))
					for err := error(nil); err == nil; {
						if _, err = c.Read(make([]byte, 100)); err != nil {
							want("5 ms on", "read", err, true)
						}
					}
				}
			})
		}
	})
}

// A deadline that is farther than clocks go is none.
func TestNetDeadlineFar(t *testing.T) {
	eachSubject(t, func(s *subject) {
		for _, at := range []time.Time{time.Now().Add(math.MaxInt64), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
			s.must("SetDeadline", s.act(func() error { return s.c.SetDeadline(at) }))
			s.must("Write", s.waits(func() error { return write(s.c) }))
			end := s.start(func() error { return read(s.c) })
			s.pause(time.Millisecond)
			s.sends("far")
			s.must("Read", end())
		}
	})
}

// Deadlines of one direction leave the other alone, while both wait.
func TestNetDeadlineOfOneDirection(t *testing.T) {
	eachSubject(t, func(s *subject) {
		reading := s.start(func() error { return read(s.c) })
		writing := s.block()
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(longAgo) }))
		s.wantDeadline("Read", reading())
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Time{}) }))
		reading = s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("SetWriteDeadline", s.act(func() error { return s.c.SetWriteDeadline(longAgo) }))
		n, err := writing()
		s.wantDeadline("Write", err)
		if n == 0 {
			s.Error("Write counted nothing")
		}
		s.sends("x")
		s.must("Read beside a write's deadline", reading())
	})
}

// A reader that is in time stays so though its loop is late behind it: where it waits, and where it yields before it
// has looked at what there is, since the turn's calls are used up.
func TestReadersStayInTime(t *testing.T) {
	reads := map[string]func(c *sock.Conn) (int, error){
		"Read": func(c *sock.Conn) (int, error) { return c.Read(make([]byte, 1)) },
		"ReadV": func(c *sock.Conn) (n int, err error) {
			m, err := c.ReadV([][]byte{make([]byte, 1)})
			return int(m), err
		},
		"Discard": func(c *sock.Conn) (int, error) { return c.Discard(1) },
		"Peek": func(c *sock.Conn) (int, error) {
			if _, err := c.Peek(1); err != nil {
				return 0, err
			}
			c.SetReadDeadline(never)
			return c.Discard(1)
		},
		"Next": func(c *sock.Conn) (int, error) {
			lease, err := c.Next()
			if err != nil {
				return 0, err
			}
			defer lease.Release()
			return len(lease.Bytes()), nil
		},
	}
	oneByte := maps.Clone(reads)
	const several = 10_000 // in buffers of a page
	for name, read := range readsOfAll(several) {
		reads[name] = func(c *sock.Conn) (int, error) {
			n, err := read(c)
			if n == several && err == nil {
				n = 1
			}
			return n, err
		}
	}
	const much = 20_000 // of which the rest is received without a look whether there is something
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Budget, cfg.HoldLimit = 1, -1
		for name, read := range reads {
			t.Run(name, func(t *testing.T) {
				unixPair(t, cfg, "unix", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
					near := 50 * time.Microsecond
					for calls := 0; calls < 20; {
						offloaded(t, l, func() error { _, err := peer.Write(make([]byte, much)); return err })
						if _, err := io.ReadFull(c, make([]byte, much)); err != nil {
							t.Fatal(err)
						}
						c.SetReadDeadline(time.Now().Add(patience.Max))
						begun, counts, size := false, false, several
						if _, one := oneByte[name]; one {
							size = 1
						}
						late := l.Go(func() {
							for !begun {
								l.Yield()
							}
							soon := time.Now().Add(near)
							c.SetReadDeadline(soon)
							counts = time.Now().Before(soon) // else the machine was busy, and it was set in the past
							peer.Write(make([]byte, size))
							for !time.Now().After(soon) {
							}
						})
						for range calls {
							c.TryWrite(nil)
						}
						begun = true
						n, err := read(c)
						late.Wait()
						c.SetReadDeadline(never)
						switch {
						case n == 1 && err == nil:
							calls++
						case counts || !errors.Is(err, os.ErrDeadlineExceeded):
							t.Fatalf("behind %d calls: %d bytes, %v", calls, n, err)
						default:
							near *= 2
							if _, err := io.ReadFull(c, make([]byte, size-n)); err != nil {
								t.Fatal(err)
							}
						}
					}
				})
			})
		}
	})
}

// readsOfAll is calls, and loops of calls, that take n bytes from a connection, which may be in several buffers.
func readsOfAll(n int) map[string]func(c *sock.Conn) (int, error) {
	return map[string]func(c *sock.Conn) (int, error){
		"Discard of all": func(c *sock.Conn) (int, error) { return c.Discard(n) },
		"Peek of all": func(c *sock.Conn) (int, error) {
			p, err := c.Peek(n)
			k := len(p)
			if err == nil {
				c.SetReadDeadline(never)
				_, err = c.Discard(k)
			}
			return k, err
		},
		"ReadFull": func(c *sock.Conn) (int, error) { return io.ReadFull(c, make([]byte, n)) },
		"Next, and again": func(c *sock.Conn) (done int, err error) {
			for done < n && err == nil {
				var lease buf.Lease
				if lease, err = c.Next(); err == nil {
					done += len(lease.Bytes())
					lease.Release()
				}
			}
			return done, err
		},
		"WriteTo": func(c *sock.Conn) (int, error) {
			m, err := c.WriteTo(io.Discard)
			if errors.Is(err, os.ErrDeadlineExceeded) && m == int64(n) { // the peer does not close
				err = nil
			}
			return int(m), err
		},
	}
}

// A host stands still while all comes that a call wants, or several in a row, and their deadline passes: they have it.
// But a peer that goes on for ever keeps no caller for longer than it was in time.
func TestLateLoopReadsAll(t *testing.T) {
	const n, endless = 10_000, 1 << 30
	for _, floods := range []bool{false, true} {
		want, most := n, time.Duration(math.MaxInt64)
		if floods {
			want, most = endless, time.Second
		}
		for name, read := range readsOfAll(want) {
			for _, elsewhere := range []bool{false, true} {
				switch {
				case elsewhere && (name == "ReadFull" || name == "Next, and again"):
					continue // of calls in a row each comes anew, as in package net
				case floods && (name == "ReadFull" || name == "Peek of all"):
					continue // they take no more than there is memory for
				}
				t.Run(fmt.Sprintf("%s/elsewhere=%t/floods=%t", name, elsewhere, floods), func(t *testing.T) {
					sim.Explore(t, 5, func(w *sim.World) {
						got, took, err := lateRead(w, read, elsewhere, floods)
						if ok := err == nil && got == n; ok == floods || took > most {
							w.Errorf("%d bytes of %d, in %v: %v", got, want, took, err)
						}
						if floods && (got == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
							w.Errorf("of a flood %d bytes: %v", got, err)
						}
					})
				})
			}
		}
	}
}

// A write's deadline that a goroutine moves in time counts from then on, also on a loop that was held until the old one
// had passed, and hears of the new one behind a hundred other words.
func TestDeadlineMovedOnALateLoop(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Budget = 1
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			msg := make([]byte, 16<<20)
			for d := 20 * time.Millisecond; ; d *= 2 {
				c.SetWriteDeadline(never)
				var n int
				var err error
				writer := l.GoNamed("writer", func() { n, err = c.Write(msg) })
				taskNamed(t, l, l, "writer")
				old := time.Now().Add(d)
				c.SetWriteDeadline(old)
				inTime, done := false, make(chan struct{})
				go func() {
					defer close(done)
					for range 100 {
						c.SetReadDeadline(patience.Deadline())
					}
					c.SetWriteDeadline(never)
					inTime = time.Now().Before(old)
					for time.Now().Before(old.Add(time.Millisecond)) {
						runtime.Gosched()
					}
				}()
				<-done // the loop is held
				if inTime {
					go io.Copy(io.Discard, peer)
				} else { // too slow today to tell: once more
					c.SetWriteDeadline(longAgo)
				}
				writer.Wait()
				if !inTime {
					continue
				}
				if n != len(msg) || err != nil {
					t.Errorf("Write() = %d, %v, want all %d", n, err, len(msg))
				}
				return
			}
		})
	})
}

// Word of a deadline that somebody else has moved may come when a newer one has passed that the reader was in time by.
func TestLateWordOfADeadline(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			c.SetReadDeadline(never)
			var n int
			var err error
			reader := l.GoNamed("reader", func() { n, err = c.Read(make([]byte, 1)) })
			taskNamed(t, l, l, "reader")
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.SetReadDeadline(patience.Deadline()) // of which the loop is to hear
				peer.Write([]byte{1})
			}()
			<-done // the loop is held
			for inQueue(t, int(sock.Descriptor(c)), unix.TIOCINQ) == 0 {
				runtime.Gosched()
			}
			at := time.Now()
			for d := time.Millisecond; !time.Now().Before(at); d *= 2 {
				at = time.Now().Add(d)
				c.SetReadDeadline(at)
			}
			for !time.Now().After(at) {
				runtime.Gosched()
			}
			if reader.Wait(); n != 1 || err != nil {
				t.Errorf("Read() = %d, %v, want the byte that came before the deadline", n, err)
			}
		})
	})
}

// Who was in time by a deadline is not by one that had passed when another thread set it, of which the loop has yet to
// hear: package net's reads fail then, whatever there is.
func TestPassedDeadlineOfOthers(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			calls := map[string]func() (int, error){
				"Read":  func() (int, error) { return c.Read(make([]byte, 1)) },
				"ReadV": func() (int, error) { return c.ReadV([][]byte{make([]byte, 1)}) },
				"Next":  func() (int, error) { b, err := c.Next(); return len(b.Bytes()), err },
			}
			for name, call := range calls {
				c.SetReadDeadline(never)
				var n int
				var err error
				reader := l.GoNamed("reader", func() {
					if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
						t.Errorf("Read() in time = %d, %v", n, err)
					}
					done := make(chan struct{})
					go func() {
						defer close(done)
						c.SetReadDeadline(longAgo)
					}()
					<-done // the loop is held
					n, err = call()
				})
				taskNamed(t, l, l, "reader")
				send(t, peer, "abc")
				if reader.Wait(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%s() = %d, %v, want a timeout", name, n, err)
				}
				c.SetReadDeadline(time.Time{})
				if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
					t.Errorf("what is left behind %s: %v", name, err)
				}
			}
		})
	})
}

// lateRead has a task read by a deadline of 150 ms on a host that stands still from then when it begins to 230 ms, of a
// connection whose peer writes 10,000 bytes after 60 ms, or that and more for seconds.
func lateRead(w *sim.World, read func(*sock.Conn) (int, error), elsewhere, floods bool) (
	got int, took time.Duration, end error) {
	const port = ":7000"
	w.Link = sim.Link{Latency: time.Millisecond}
	server, client := w.Host("server"), w.Host("client")
	over := false
	p := server.Run(&ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() > 0 {
			for !over {
				l.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		ln, err := sock.Listen(l, "tcp", port)
		if err != nil {
			return err
		}
		defer ln.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetReadDeadline(l.Now().Add(150 * time.Millisecond))
		w.After(10*time.Millisecond, func() { server.Pause(220 * time.Millisecond) })
		by := l
		if elsewhere {
			by = l.Loops()[1]
		}
		begun := w.Elapsed()
		err = by.Go(func() { got, end = read(c) }).Wait()
		over, took = true, w.Elapsed()-begun
		return err
	})
	q := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		l.Sleep(10 * time.Millisecond) // until it listens
		c, err := sock.Dial(l, "tcp", "server"+port)
		if err != nil {
			return err
		}
		defer c.Close()
		l.Sleep(60 * time.Millisecond)
		for {
			if _, err = c.Write(make([]byte, 10_000)); err != nil || !floods || w.Elapsed() > 5*time.Second {
				break
			}
			l.Sleep(10 * time.Microsecond)
		}
		for !over && !floods {
			l.Sleep(100 * time.Millisecond)
		}
		return nil
	})
	w.Check(w.Wait(p, q))
	return got, took, end
}

// A read stays in time whose receive is begun anew just then, since more has come before than a buffer holds: a late
// loop is told of the end of the old one first, and of no byte.
func TestReadStaysInTimeBehindBulk(t *testing.T) {
	const bulk = 5000
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.HoldLimit = 4096, -1
		near := 50 * time.Microsecond
		for counts := 0; counts < 5; near *= 2 {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				c.SetReadDeadline(patience.Deadline())
				begun, counted, soon := false, false, time.Time{}
				late := l.Go(func() {
					for !begun {
						l.Yield()
					}
					counted = time.Now().Before(soon) // else the machine was busy, and it was set in the past
					peer.Write([]byte("x"))
					for !time.Now().After(soon) {
					}
				})
				go peer.Write(make([]byte, bulk))
				if _, err := io.ReadFull(c, make([]byte, bulk)); err != nil {
					t.Fatal(err)
				}
				soon = time.Now().Add(near)
				c.SetReadDeadline(soon)
				begun = true
				if n, err := c.Read(make([]byte, 1)); counted && (n != 1 || err != nil) {
					t.Errorf("%d bytes, %v", n, err)
				}
				if late.Wait(); counted {
					counts++
				}
			})
		}
	})
}
