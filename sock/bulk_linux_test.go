//go:build linux

package sock_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/sock"
)

// The buffers of bulky are of 1 KiB, plain ones of an eighth more, large ones of four times as much.
const (
	bulkPlain = 1024 + 1024/8
	bulkMuch  = 3000 // as one message, which one large buffer holds
)

// bulkConn is a connection to which more has come at once than a buffer holds.
type bulkConn struct {
	*testing.T
	l    *ringo.Loop
	c    *sock.Conn
	peer tcpPeer
	sent int
}

// bulky runs f with one, of which all is read.
func bulky(t *testing.T, cfg ringo.Config, f func(b *bulkConn)) {
	t.Helper()
	cfg.BufferSize, cfg.Leases = 1024, 4
	pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
		b := &bulkConn{T: t, l: l, c: c, peer: peer}
		want := b.send(2 * bulkMuch)
		if _, err := c.Peek(len(want)); err != nil { // so that all of it has come
			t.Fatal(err)
		}
		wantAll(t, c, want)
		f(b)
	})
}

// send has the peer send so many bytes, which differ from those before, and gives them some time to come.
func (b *bulkConn) send(n int) string {
	b.Helper()
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((b.sent+i)*(b.sent+i)>>8 + i)
	}
	b.sent += n
	send(b.T, b.peer, string(p))
	b.l.Sleep(time.Microsecond)
	return string(p)
}

// reads wants these bytes, by Reads into p.
func (b *bulkConn) reads(p []byte, want string) {
	b.Helper()
	for want != "" {
		n, err := b.c.Read(p)
		if err != nil || !strings.HasPrefix(want, string(p[:n])) {
			b.Fatalf("read %q, %v, of %q", p[:n], err, want)
		}
		want = want[n:]
	}
}

// large takes a lease of a large buffer. How much a receive finds is the system's affair, but not a hundred times.
func (b *bulkConn) large() (lease buf.Lease, rest string) {
	b.Helper()
	for range 100 {
		rest = b.send(bulkMuch)
		for rest != "" {
			lease, err := b.c.Next()
			if err != nil {
				b.Fatal(err)
			}
			got := string(lease.Bytes())
			if !strings.HasPrefix(rest, got) {
				b.Fatalf("other bytes have come than were sent: %q of %q", got, rest)
			}
			if rest = rest[len(got):]; len(got) > bulkPlain {
				return lease, rest
			}
			lease.Release()
		}
	}
	b.Fatalf("of 100 messages of %d bytes none has come in one piece", bulkMuch)
	return
}

// inUse is how many large buffers somebody has.
func (b *bulkConn) inUse() int {
	pools := b.l.Stats().Pools
	return pools[slices.IndexFunc(pools, func(p ringo.PoolStats) bool { return p.Pool == "large" })].InUse
}

// What is larger than a buffer comes in a large one, and no longer when only little comes for a while, however it is
// read.
func TestBulk(t *testing.T) {
	for name, size := range map[string]int{"small Reads": 10, "large Reads": 8192} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				bulky(t, cfg, func(b *bulkConn) {
					lease, rest := b.large()
					lease.Release()
					wantAll(t, b.c, rest)
					before := opStats(b.l, "recv").Submitted
					for range 40 {
						b.reads(make([]byte, size), b.send(10))
					}
					if armed := opStats(b.l, "recv").Submitted > before; armed != b.l.Info().Lends {
						t.Errorf("after 40 small messages a receive is armed: %v, want %v", armed, !armed)
					}
					if n := b.inUse(); n != 0 {
						t.Errorf("%d large buffers are in use by a connection that was read", n)
					}
				})
			})
		})
	}
}

// Who reads much in small pieces makes few receives.
func TestBulkInSmallPieces(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		bulky(t, cfg, func(b *bulkConn) {
			const times = 10
			before := opStats(b.l, "recv").Tried
			for range times {
				b.reads(make([]byte, 10), b.send(bulkMuch))
			}
			if calls := opStats(b.l, "recv").Tried - before; calls > times*bulkMuch/100 {
				t.Errorf("%d calls have received %d bytes in pieces of 10", calls, times*bulkMuch)
			}
		})
	})
}

// Of the leases that somebody holds one is of a large buffer, so that what a connection may hold is bounded.
func TestBulkLeases(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		bulky(t, cfg, func(b *bulkConn) {
			first, rest := b.large()
			wantAll(t, b.c, rest)
			want := b.send(bulkMuch)
			held := []buf.Lease{first}
			for len(held) < 4 && want != "" {
				next, err := b.c.Next()
				if err != nil {
					t.Fatal(err)
				}
				got := string(next.Bytes())
				if len(got) > bulkPlain || !strings.HasPrefix(want, got) {
					t.Fatalf("beside a large buffer %d bytes came: %q of %q", len(got), got, want)
				}
				want = want[len(got):]
				held = append(held, next)
			}
			if _, err := b.c.Next(); len(held) == 4 && err == nil {
				t.Error("more leases than Config.Leases")
			}
			if n := b.inUse(); n != 1 {
				t.Errorf("%d large buffers are in use, want the one that is leased", n)
			}
			for _, l := range held {
				l.Release()
			}
			wantAll(t, b.c, want)
		})
	})
}

// A large buffer does not wait for a slow peer: not with WriteLease, and not in a copy.
func TestBulkToSlowPeer(t *testing.T) {
	ways := map[string]func(b *bulkConn) (want string, write func()){
		"WriteLease": func(b *bulkConn) (string, func()) {
			lease, rest := b.large()
			wantAll(b.T, b.c, rest)
			want := string(lease.Bytes())
			return want, func() {
				if n, err := b.c.WriteLease(lease); n != len(want) || err != nil {
					b.Errorf("WriteLease: %d, %v, want %d", n, err, len(want))
				}
			}
		},
		"WriteTo": func(b *bulkConn) (string, func()) {
			want := b.send(bulkMuch)
			return want, func() {
				if n, err := b.c.WriteTo(b.c); n != int64(len(want)) || err != nil {
					b.Errorf("WriteTo: %d, %v, want %d", n, err, len(want))
				}
			}
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				bulky(t, cfg, func(b *bulkConn) {
					want, write := way(b)
					before := fill(t, b.l, b.c)
					writer := b.l.Go(write)
					others(b.l)
					if n := b.inUse(); n != 0 {
						t.Errorf("%d large buffers wait for a slow peer", n)
					}
					b.peer.CloseWrite()
					wantPeer(t, b.l, b.peer, string(make([]byte, before))+want)
					if err := writer.Wait(); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// What has come in a large buffer goes with the connection: to a goroutine, and to another loop.
func TestBulkGoesAlong(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		bulky(t, cfg, func(b *bulkConn) {
			for range 20 {
				want := b.send(bulkMuch)
				if _, err := b.c.Peek(1); err != nil {
					t.Fatal(err)
				}
				onGoroutine(t, b.l, func() { wantAll(t, b.c, want) })
			}
			if n := b.inUse(); n != 0 {
				t.Errorf("%d large buffers are in use, and goroutines have read all", n)
			}
			want := b.send(bulkMuch)
			if _, err := b.c.Peek(1); err != nil {
				t.Fatal(err)
			}
			loops := b.l.Loops()
			c, err := b.c.MoveTo(loops[(b.l.Index()+1)%len(loops)])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			wantAll(t, c, want+b.send(10))
		})
	})
}
