package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// wantNext takes the next bytes, which must be the stream's from at on.
func wantNext(t *testing.T, c *sock.Conn, at int) buf.Lease {
	t.Helper()
	lease, err := c.Next()
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	if bad := mismatch(lease.Bytes(), at); bad >= 0 || len(lease.Bytes()) == 0 {
		t.Fatalf("Next at %d: %d bytes, wrong at %d", at, len(lease.Bytes()), bad)
	}
	return lease
}

// At the bound Next fails at once; a release makes room, wherever it happens.
func TestLeasesToTheBound(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers, cfg.Leases = 64, 16, 3
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			msg := make([]byte, 64*20)
			pattern(msg, 0)
			send(t, peer, string(msg))
			at := 0
			var held []buf.Lease
			for range 3 {
				lease := wantNext(t, c, at)
				at += len(lease.Bytes())
				held = append(held, lease)
			}
			parks := l.Stats().Parks
			for range 2 {
				_, err := c.Next()
				var op *net.OpError
				if err == nil || !errors.As(err, &op) || !strings.Contains(err.Error(), "Config.Leases") {
					t.Fatalf("Next at the bound: %v, want an error that names Config.Leases", err)
				}
			}
			if l.Stats().Parks != parks {
				t.Error("Next waited at the bound")
			}
			p := make([]byte, 10) // other ways to read are not bound
			if _, err := io.ReadFull(c, p); err != nil || mismatch(p, at) >= 0 {
				t.Errorf("Read at the bound: %v", err)
			}
			at += len(p)
			held[1].Release()
			lease := wantNext(t, c, at)
			at += len(lease.Bytes())
			held[1] = lease

			offloaded(t, l, func() error { held[0].Release(); return nil }) // from another goroutine
			held[0] = wantNext(t, c, at)
			at += len(held[0].Bytes())
			for i, lease := range held {
				if len(lease.Bytes()) == 0 {
					t.Errorf("lease %d is empty", i)
				}
				lease.Release()
			}
			rest := make([]byte, len(msg)-at)
			if _, err := io.ReadFull(c, rest); err != nil || mismatch(rest, at) >= 0 {
				t.Errorf("the rest: %v", err)
			}
		})
	})
}

func TestLeaseReleasedTwice(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			panics := func(what string, f func()) {
				t.Helper()
				defer func() {
					if v := recover(); v == nil || !strings.HasPrefix(v.(string), "buf: ") {
						t.Errorf("%s: recovered %v, want a panic of buf", what, v)
					}
				}()
				f()
			}
			send(t, peer, "once")
			lease, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			lease.Release()
			panics("twice", lease.Release)
			send(t, peer, "again") // the buffer is somebody else's now
			other, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			panics("twice, later", lease.Release)
			if got := string(other.Bytes()); got != "again" {
				t.Errorf("the other lease has %q", got)
			}
			other.Release()
			buf.Lease{}.Release() // nothing
		})
	})
}

// Leases may be released when the Run and its ring have gone; their memory is
// theirs until then.
func TestLeasesOutliveRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers, cfg.Leases = 64, 8, 4
		var held []buf.Lease
		patience.Within(t.Name(), func() {
			err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
				c, peer := connect(t, l)
				defer peer.Close()
				defer c.Close()
				msg := make([]byte, 64*4)
				pattern(msg, 0)
				send(t, peer, string(msg))
				for at := 0; at < len(msg); {
					lease := wantNext(t, c, at)
					at += len(lease.Bytes())
					held = append(held, lease)
				}
				return nil
			})
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		at := 0
		for _, lease := range held {
			if bad := mismatch(lease.Bytes(), at); bad >= 0 {
				t.Errorf("after Run: wrong byte at %d", bad)
			}
			at += len(lease.Bytes())
		}
		var wg sync.WaitGroup
		for _, lease := range held {
			wg.Go(lease.Release)
		}
		wg.Wait()
		for _, lease := range held {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("a second Release after Run did not panic")
					}
				}()
				lease.Release()
			}()
		}
	})
}

// What is leased stays what it is while the ring goes round many times.
func TestLeasedMemoryStays(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, buffers := range []int{2, 4, 16} {
			cfg.BufferSize, cfg.Buffers, cfg.Leases = 256, buffers, buffers
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				other, otherPeer := connect(t, l)
				defer otherPeer.Close()
				defer other.Close()
				msg := make([]byte, 256*buffers)
				pattern(msg, 0)
				send(t, peer, string(msg))
				var held []buf.Lease
				at := 0
				for range buffers - 1 {
					lease := wantNext(t, c, at)
					held = append(held, lease)
					at += len(lease.Bytes())
				}
				noise := bytes.Repeat([]byte{0xEE}, 256*64)
				for range 20 {
					send(t, otherPeer, string(noise))
					for n := 0; n < len(noise); {
						lease, err := other.Next()
						if err != nil {
							t.Fatal(err)
						}
						n += len(lease.Bytes())
						lease.Release()
					}
				}
				at = 0
				for _, lease := range held {
					if bad := mismatch(lease.Bytes(), at); bad >= 0 {
						t.Errorf("%d buffers: a leased byte changed, at %d", buffers, bad)
					}
					at += len(lease.Bytes())
					lease.Release()
				}
			})
		}
	})
}

// The holder may write to a lease; nobody else sees it.
func TestLeaseIsTheHolders(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			for range 5 {
				send(t, peer, "shout")
				lease, err := c.Next()
				if err != nil {
					t.Fatal(err)
				}
				copy(lease.Bytes(), bytes.ToUpper(lease.Bytes()))
				if cap(lease.Bytes()) != len(lease.Bytes()) {
					t.Error("a lease has room behind its bytes")
				}
				if _, err := c.Write(lease.Bytes()); err != nil {
					t.Fatal(err)
				}
				lease.Release()
				wantPeer(t, l, peer, "SHOUT")
			}
		})
	})
}

// Leases of many connections are released on many goroutines while the loop goes on.
func TestLeasesReleasedElsewhere(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers, cfg.Leases = 512, 16, 2
		released := make(chan buf.Lease, 64)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for lease := range released {
					lease.Release()
				}
			})
		}
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			for at := 0; ; {
				lease, err := c.Next()
				if err == io.EOF {
					c.Write([]byte("."))
					return
				}
				if err != nil { // at the bound until the others have come round
					c.Loop().Sleep(0)
					continue
				}
				if bad := mismatch(lease.Bytes(), at); bad >= 0 {
					t.Errorf("wrong byte at %d", bad)
				}
				at += len(lease.Bytes())
				released <- lease
			}
		}))
		var peers sync.WaitGroup
		for range 6 {
			peer := s.dial()
			peers.Go(func() {
				msg := make([]byte, 200_000)
				pattern(msg, 0)
				if _, err := peer.Write(msg); err != nil {
					t.Error(err)
				}
				peer.CloseWrite()
				if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
					t.Error(err)
				}
			})
		}
		peers.Wait()
		close(released)
		wg.Wait()
	})
}

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
			return awaitIn(l, over)
		})
	}()
	var other *ringo.Loop
	offloaded(t, l, func() error { other = <-loops; return nil })
	defer offloaded(t, l, func() error { return <-ended })
	defer close(over)
	body(other)
}

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
			if n != len(p) || err != nil {
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
			if err != nil || n < 1 || n > len(p) {
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

func TestVectorErrors(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		reset(peer)
		_, err := c.ReadV([][]byte{make([]byte, 5)})
		if !errors.Is(err, posix.ECONNRESET) {
			t.Errorf("ReadV after a reset: %v", err)
		}
		_, err = c.WriteV([][]byte{{1}, {2}})
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, posix.EPIPE) &&
			!errors.Is(err, posix.ECONNRESET) {
			t.Errorf("WriteV after a reset: %v", err)
		}
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
		sent := opStats(l, "send_zc").Submitted
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
					if !errors.Is(err, posix.ECONNRESET) {
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
