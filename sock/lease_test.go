package sock_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/internal/test/patience"
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
