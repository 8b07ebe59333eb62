package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

func TestDial(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		std, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer std.Close()
		go func() {
			for {
				c, err := std.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					io.Copy(c, c)
				}()
			}
		}()
		addr := std.Addr().String()
		_, port, _ := net.SplitHostPort(addr)
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, c := range []struct{ network, address string }{
				{"tcp", addr}, {"tcp4", addr}, {"tcp", ":" + port}, {"tcp4", "localhost:" + port},
				{"tcp", "localhost:" + port},
				{"tcp", "[::ffff:127.0.0.1]:" + port},
			} {
				for _, timeout := range []time.Duration{0, patience.Max, 1<<63 - 1} {
					d := sock.Dialer{Timeout: timeout}
					conn, err := d.Dial(l, c.network, c.address)
					if err != nil {
						t.Errorf("Dial(%s, %s) within %v: %v", c.network, c.address, timeout, err)
						continue
					}
					if got := conn.RemoteAddr().String(); got != addr {
						t.Errorf("RemoteAddr() = %s, want %s", got, addr)
					}
					if conn.LocalAddr().(*net.TCPAddr).Port == 0 {
						t.Errorf("LocalAddr() = %s", conn.LocalAddr())
					}
					if _, err := conn.Write([]byte("hello")); err != nil {
						t.Error(err)
					}
					wantAll(t, conn, "hello")
					conn.Close()
				}
			}
		})
	})
}

// Two dials of one task, several at once, and what each costs is gone afterwards.
func TestDialMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries = 2
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			serving := l.Go(func() {
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						return
					}
					l.Go(func() { defer c.Close(); io.Copy(c, c) })
				}
			})
			g := ringo.NewGroup(l)
			for i := range 200 {
				g.Go(func() error {
					c, err := sock.Dial(l, "tcp", ln.Addr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					msg := make([]byte, 1+i*13)
					pattern(msg, i)
					if _, err := c.Write(msg); err != nil {
						return err
					}
					got := make([]byte, len(msg))
					if _, err := io.ReadFull(c, got); err != nil {
						return err
					}
					if bad := mismatch(got, i); bad >= 0 {
						t.Errorf("connection %d: wrong byte", i)
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			ln.Close()
			serving.Wait()
		})
	})
}

// Names that there are not.
func TestDialUnknownName(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			d := sock.Dialer{Timeout: 5 * time.Second}
			_, err := d.Dial(l, "tcp", "name-that-does-not-exist.invalid:80")
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("Dial: %v, want an error of dial", err)
			}
			var dns *net.DNSError
			if !errors.As(err, &dns) && !os.IsTimeout(err) {
				t.Errorf("Dial: %v, want a *net.DNSError", err)
			}
		})
	})
}

// A dialing function in the shape of package net fails without a connection that is not
// nil.
func TestDialFunc(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			dial := new(sock.Dialer).Func(l)
			c, err := dial(context.Background(), "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if c, err := dial(ctx, "tcp", ln.Addr().String()); c != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("with a context that has ended: %v, %v", c, err)
			}
			ln.Close()
		})
	})
}

// A dial whose context has ended says where it was to go, as in package net.
func TestDialEndedContextNamesTheAddress(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancelLate()
	cause := errors.New("our cause")
	caused, cancelCaused := context.WithCancelCause(context.Background())
	cancelCaused(cause)
	contexts := map[string]struct {
		ctx  context.Context
		want error
		std  bool // package net knows it, too
	}{"canceled": {canceled, context.Canceled, true}, "late": {late, context.DeadlineExceeded, true},
		"cause": {caused, cause, false}}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for name, c := range contexts {
				for _, to := range []struct{ network, address, named string }{
					{"tcp", "127.0.0.1:9", "127.0.0.1:9"},
					{"tcp6", "[::1]:9", "[::1]:9"},
					{"unix", "@nobody", "@nobody"},
					{"tcp", "a.test:80", "a.test"},
				} {
					_, err := new(sock.Dialer).DialContext(c.ctx, l, to.network, to.address)
					if !errors.Is(err, c.want) || !strings.Contains(err.Error(), to.named) {
						t.Errorf("%s, %s: %v, want %v and the address", name, to.address, err, c.want)
					}
					if to.named != to.address || !c.std { // package net would ask a name server
						continue
					}
					_, std := new(net.Dialer).DialContext(c.ctx, to.network, to.address)
					compare(t, name+", "+to.address, err, std)
				}
			}
		})
	})
}

const (
	typeA    = 1
	typeAAAA = 28
)

// nameServer is a DNS server of a test. A question of which it knows nothing gets
// "no such name".
type nameServer struct {
	conn *net.UDPConn

	mu      sync.Mutex
	answers map[string][]netip.Addr
	gates   map[uint16]chan struct{} // questions of a type wait for it
	asked   int
	asking  []net.Conn // that resolvers have, some of them for seconds after their look-up was cancelled
	closed  bool
}

// resolver asks this server and nobody else.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return nil, net.ErrClosed
		}
		// Its own resolver, because a dialer without one looks at net.DefaultResolver, which tests change, and a
		// look-up goes on for a while after it was cancelled.
		d := net.Dialer{Resolver: new(net.Resolver)}
		c, err := d.DialContext(ctx, "udp4", s.conn.LocalAddr().String())
		if err == nil {
			s.asking = append(s.asking, c)
		}
		return c, err
	}}
}

// hold keeps questions of a type from being answered until it is told.
func (s *nameServer) hold(typ uint16) (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	s.gates[typ] = gate
	s.mu.Unlock()
	return sync.OnceFunc(func() {
		close(gate)
		s.mu.Lock()
		delete(s.gates, typ)
		s.mu.Unlock()
	})
}

// questions is how many have come.
func (s *nameServer) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *nameServer) serve() {
	var waiting sync.WaitGroup
	defer waiting.Wait()
	over := make(chan struct{})
	defer close(over)
	for {
		b := make([]byte, 512)
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		name, typ, end := question(b[:n])
		s.mu.Lock()
		s.asked++
		gate, answers := s.gates[typ], s.answers[name]
		s.mu.Unlock()
		waiting.Go(func() {
			if gate != nil {
				select {
				case <-gate:
				case <-over:
					return
				}
			}
			s.conn.WriteToUDPAddrPort(reply(b[:end], typ, answers), from)
		})
	}
}

// question takes the first question of a message apart; end is where it ends.
func question(b []byte) (name string, typ uint16, end int) {
	var labels []string
	at := 12
	for b[at] != 0 {
		labels = append(labels, string(b[at+1:at+1+int(b[at])]))
		at += 1 + int(b[at])
	}
	return strings.ToLower(strings.Join(labels, ".")), binary.BigEndian.Uint16(b[at+1:]), at + 5
}

// reply answers a question with those of the addresses that are of its type.
func reply(question []byte, typ uint16, addrs []netip.Addr) []byte {
	b := append([]byte(nil), question...)
	b[2], b[3] = 0x84, 0 // an answer with authority, no error
	count := 0
	for _, a := range addrs {
		if a.Is4() != (typ == typeA) {
			continue
		}
		count++
		raw := a.AsSlice()
		b = append(b, 0xc0, 12, 0, byte(typ), 0, 1, 0, 0, 0, 60, 0, byte(len(raw)))
		b = append(b, raw...)
	}
	if len(addrs) == 0 {
		b[3] = 3 // no such name
	}
	binary.BigEndian.PutUint16(b[6:], uint16(count))
	binary.BigEndian.PutUint32(b[8:], 0) // no more records
	return b
}
