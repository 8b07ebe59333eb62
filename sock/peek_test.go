package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// feed writes the stream from 0 on, in pieces of random sizes, and ends it.
func feed(t *testing.T, peer tcpPeer, total int, seed uint64) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		r := rand.New(rand.NewPCG(seed, 0))
		msg := make([]byte, total)
		pattern(msg, 0)
		for len(msg) > 0 {
			n := min(len(msg), 1+r.IntN(1+r.IntN(5000)))
			if _, err := peer.Write(msg[:n]); err != nil {
				t.Error(err)
				return
			}
			msg = msg[n:]
		}
		peer.CloseWrite()
	}()
	return done
}

// Peek gives every size in one piece, over as many buffers as it takes, and
// Discard and Read go on behind it.
func TestPeekSizes(t *testing.T) {
	sizes := []int{0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 4096, 16384, 40000, 65535, 65536}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{64, 100, 16384} {
			cfg.BufferSize = size
			cfg.Buffers = 8
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				total := 1
				for _, n := range sizes {
					total += n
				}
				fed := feed(t, peer, total, uint64(size))
				at := 0
				for _, n := range sizes {
					p, err := c.Peek(n)
					if len(p) != n || err != nil {
						t.Fatalf("Peek(%d) = %d bytes, %v", n, len(p), err)
					}
					if bad := mismatch(p, at); bad >= 0 {
						t.Fatalf("Peek(%d): wrong byte at %d", n, bad)
					}
					if cap(p) != n {
						t.Errorf("Peek(%d) has a capacity of %d: an append would write over unread bytes", n, cap(p))
					}
					if c.Buffered() < n {
						t.Errorf("Buffered() = %d after Peek(%d)", c.Buffered(), n)
					}
					if k, err := c.Discard(n); k != n || err != nil {
						t.Fatalf("Discard(%d) = %d, %v", n, k, err)
					}
					at += n
				}
				last := make([]byte, 2)
				if n, err := io.ReadFull(c, last); n != 1 || err != io.ErrUnexpectedEOF || last[0] != byteAt(at) {
					t.Errorf("the last byte: %d read, %v", n, err)
				}
				offloaded(t, l, func() error { <-fed; return nil })
			})
		}
	})
}

func TestPeekBounds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize = 64
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			if _, err := c.Peek(-1); err != bufio.ErrNegativeCount {
				t.Errorf("Peek(-1): %v", err)
			}
			if _, err := c.Discard(-1); err != bufio.ErrNegativeCount {
				t.Errorf("Discard(-1): %v", err)
			}
			for _, n := range []int{65537, 1 << 20, 1<<31 - 1} {
				if p, err := c.Peek(n); len(p) != 0 || err != bufio.ErrBufferFull {
					t.Errorf("Peek(%d) = %d bytes, %v, want bufio.ErrBufferFull", n, len(p), err)
				}
			}
			send(t, peer, "12345")
			peer.CloseWrite()
			for range 2 {
				if p, err := c.Peek(10); string(p) != "12345" || err != io.EOF {
					t.Errorf("Peek(10) = %q, %v, want what there is and io.EOF", p, err)
				}
			}
			if n, err := c.Discard(10); n != 5 || err != io.EOF {
				t.Errorf("Discard(10) = %d, %v, want 5 and io.EOF", n, err)
			}
			if p, err := c.Peek(1); len(p) != 0 || err != io.EOF {
				t.Errorf("Peek(1) = %q, %v at the end", p, err)
			}
			if n := c.Buffered(); n != 0 {
				t.Errorf("Buffered() = %d at the end", n)
			}
		})
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "123")
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			p, err := c.Peek(10)
			wantTimeout(t, "Peek", err)
			if string(p) != "123" {
				t.Errorf("Peek(10) = %q at the deadline, want what there is", p)
			}
			c.SetReadDeadline(never)
			wantAll(t, c, "123")
		})
	})
}

// Peek of what is here does not wait, whatever the deadline and the state of the
// task.
func TestPeekOfWhatIsHere(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "12345")
			if _, err := c.Peek(5); err != nil {
				t.Fatal(err)
			}
			parks := l.Stats().Parks
			c.SetReadDeadline(longAgo)
			if p, err := c.Peek(3); string(p) != "123" || err != nil {
				t.Errorf("Peek(3) = %q, %v", p, err)
			}
			if n, err := c.Discard(5); n != 5 || err != nil {
				t.Errorf("Discard(5) = %d, %v", n, err)
			}
			if l.Stats().Parks != parks {
				t.Error("it parked")
			}
		})
	})
}

// A program of all the ways to read, against the stream.
func TestReadsAgainstModel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, geometry := range []struct{ size, buffers, leases int }{{64, 2, 1}, {64, 8, 4},
			{100, 4, 2}, {4096, 16, 4}} {
			for seed := range uint64(3) {
				cfg.BufferSize, cfg.Buffers, cfg.Leases = geometry.size, geometry.buffers, geometry.leases
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					fed := feed(t, peer, 300_000, seed)
					readProgram(t, c, seed)
					if t.Failed() {
						t.Fatalf("buffers of %d bytes, %d of them, %d leases, seed %d", geometry.size,
							geometry.buffers, geometry.leases, seed)
					}
					offloaded(t, l, func() error { <-fed; return nil })
				})
			}
		}
	})
}

// readProgram reads the stream to its end in random ways.
func readProgram(t *testing.T, c *sock.Conn, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	at := 0
	check := func(what string, p []byte, advance bool) {
		if bad := mismatch(p, at); bad >= 0 {
			t.Fatalf("%s of %d bytes at %d: wrong byte at %d", what, len(p), at, bad)
		}
		if advance {
			at += len(p)
		}
	}
	for {
		before := c.Buffered()
		n := r.IntN(1 + r.IntN(3000))
		var err error
		switch r.IntN(5) {
		case 0:
			p := make([]byte, n+1)
			n, err = c.Read(p)
			check("Read", p[:n], true)
		case 1:
			var p []byte
			p, err = c.Peek(n)
			check("Peek", p, false)
			if err == nil && len(p) != n {
				t.Fatalf("Peek(%d) = %d bytes", n, len(p))
			}
			if c.Buffered() < max(before, len(p)) {
				t.Fatalf("Buffered() went from %d to %d by Peek(%d)", before, c.Buffered(), n)
			}
		case 2:
			var k int
			k, err = c.Discard(n)
			at += k
			if err == nil && k != n {
				t.Fatalf("Discard(%d) = %d", n, k)
			}
		case 3:
			lease, leaseErr := c.Next()
			check("Next", lease.Bytes(), true)
			if leaseErr == nil && len(lease.Bytes()) == 0 {
				t.Fatal("Next gave nothing")
			}
			lease.Release()
			err = leaseErr
		case 4:
			if p, peekErr := c.Peek(min(n, before)); peekErr != nil {
				t.Fatalf("Peek of what is here: %v", peekErr)
			} else {
				check("Peek", p, false)
			}
		}
		if err != nil {
			if err != io.EOF || at+c.Buffered() != 300_000 {
				t.Fatalf("%v at %d with %d buffered", err, at, c.Buffered())
			}
			if c.Buffered() == 0 {
				return
			}
		}
	}
}

// Peeked bytes stay what they are while a Write waits for the peer, although the
// connection gives the ring's buffers back meanwhile: they may be what is written,
// and the peer that makes the Write wait may also be the one that fills buffers.
func TestPeekedBytesOutliveWrite(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, geometry := range []struct{ size, buffers, peek int }{
			{16384, 4, 16384}, {64, 2, 64}, {64, 4, 300}, {4096, 2, 20000},
		} {
			cfg.BufferSize, cfg.Buffers = geometry.size, geometry.buffers
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				other, otherPeer := connect(t, l)
				defer otherPeer.Close()
				defer other.Close()

				total := fill(t, l, c)
				msg := make([]byte, geometry.peek)
				pattern(msg, 7)
				if _, err := peer.Write(msg); err != nil {
					t.Fatal(err)
				}
				peeked, err := c.Peek(len(msg))
				if err != nil {
					t.Fatal(err)
				}
				total += fill(t, l, c) // what the peer's bytes have acknowledged
				writing := l.Go(func() {
					if n, err := c.Write(peeked); n != len(peeked) || err != nil {
						t.Errorf("Write() = %d, %v", n, err)
					}
				})
				others(l)
				// Everybody else's bytes go where the peeked ones were.
				noise := bytes.Repeat([]byte{0xEE}, 2*geometry.size*geometry.buffers)
				for range 4 {
					send(t, otherPeer, string(noise))
					if _, err := io.ReadFull(other, make([]byte, len(noise))); err != nil {
						t.Fatal(err)
					}
					send(t, peer, string(noise[:geometry.size]))
					others(l)
				}
				if bad := mismatch(peeked, 7); bad >= 0 {
					t.Errorf("buffers of %d: the peeked bytes changed at %d of %d during Write",
						geometry.size, bad-7, len(peeked))
				}
				got := make([]byte, total+len(msg))
				offloaded(t, l, func() error { _, err := io.ReadFull(peer, got); return err })
				writing.Wait()
				if bad := mismatch(got[total:], 7); bad >= 0 {
					t.Errorf("buffers of %d: the peer got a wrong byte at %d of %d", geometry.size, bad-7, len(msg))
				}
				if bad := mismatch(peeked, 7); bad >= 0 {
					t.Errorf("buffers of %d: the peeked bytes changed at %d of %d by the end of Write",
						geometry.size, bad-7, len(peeked))
				}
				if n, err := c.Discard(len(msg)); n != len(msg) || err != nil {
					t.Errorf("Discard() = %d, %v", n, err)
				}
				rest := make([]byte, 4*geometry.size)
				if _, err := io.ReadFull(c, rest); err != nil ||
					!bytes.Equal(rest, bytes.Repeat([]byte{0xEE}, len(rest))) {
					t.Errorf("what came behind the peeked bytes: %v", err)
				}
			})
		}
	})
}

// One that peeks more than may stay unread in Serve gets bufio.ErrBufferFull too.
func TestPeekOverHandlerUnread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		errs := make(chan error, 2)
		s := serve(t, cfg, perRequest(&sock.Handler{Unread: 100, Request: func(c *sock.Conn) error {
			_, err := c.Peek(101)
			errs <- err
			_, err = c.Peek(100)
			errs <- err
			return io.ErrClosedPipe
		}}))
		peer := s.dial()
		send(t, peer, string(make([]byte, 100)))
		patience.Within(t.Name(), func() {
			if err := <-errs; !errors.Is(err, bufio.ErrBufferFull) {
				t.Errorf("Peek(101): %v, want bufio.ErrBufferFull", err)
			}
			if err := <-errs; err != nil {
				t.Errorf("Peek(100): %v", err)
			}
		})
	})
}

// Bytes from Peek stay what they are until the next read or Close, whoever calls whatever else: the
// buffers in which they lie must not go to another connection meanwhile.
func TestPeekedBytesOutliveCallsOfOthers(t *testing.T) {
	calls := []struct {
		name string
		call func(c *sock.Conn)
	}{
		{"Buffered", func(c *sock.Conn) { c.Buffered() }},
		{"File", func(c *sock.Conn) {
			if f, err := c.File(); err == nil {
				f.Close()
			}
		}},
		{"SetReadDeadline", func(c *sock.Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }},
		{"Write", func(c *sock.Conn) { c.Write([]byte("x")) }},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers = 256, 8
		for _, n := range []int{100, 700} { // in one buffer, and gathered from several
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				another, anotherPeer := connect(t, l)
				defer anotherPeer.Close()
				defer another.Close()
				withLoop(t, l, cfg, func(other *ringo.Loop) {
					callers := map[string]func(f func()){
						"goroutine":            func(f func()) { onGoroutine(t, l, f) },
						"task":                 func(f func()) { l.Go(f).Wait() },
						"task of another loop": func(f func()) { other.Go(f).Wait() },
					}
					for who, as := range callers {
						for peeker, peeks := range callers {
							for _, call := range calls {
								msg := make([]byte, n)
								pattern(msg, 7)
								send(t, peer, string(msg))
								var peeked []byte
								var err error
								peeks(func() { peeked, err = c.Peek(n) })
								if err != nil {
									t.Fatalf("Peek(%d) by a %s: %v", n, peeker, err)
								}
								as(func() { call.call(c) })
								// Everybody else's bytes go where the peeked ones must not be.
								for range 4 * cfg.Buffers {
									send(t, anotherPeer, strings.Repeat("\xEE", cfg.BufferSize))
									lease, err := another.Next()
									if err != nil {
										t.Fatal(err)
									}
									lease.Release()
								}
								if bad := mismatch(peeked, 7); bad >= 0 {
									t.Errorf("%d bytes that a %s peeked changed at %d when a %s called %s",
										n, peeker, bad-7, who, call.name)
								}
								if k, err := c.Discard(n); k != n || err != nil {
									t.Fatalf("Discard(%d) = %d, %v", n, k, err)
								}
							}
						}
					}
				})
			})
		}
	})
}

// withLoop runs body, in the calling task, while there is another loop, of a Run of its own.
func withLoop(t *testing.T, l *ringo.Loop, cfg ringo.Config, body func(other *ringo.Loop)) {
	t.Helper()
	loops, over, ended := make(chan *ringo.Loop, 1), make(chan bool), make(chan error, 1)
	go func() {
		ended <- socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			loops <- l
			return l.Offload(func(context.Context) error { <-over; return nil })
		})
	}()
	var other *ringo.Loop
	offloaded(t, l, func() error { other = <-loops; return nil })
	defer offloaded(t, l, func() error { return <-ended })
	defer close(over)
	body(other)
}
