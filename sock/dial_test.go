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
	"ringo/sock"
)

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

// A dial whose context has ended for a cause says which, and where it was to go.
func TestDialEndedContextNamesTheCause(t *testing.T) {
	cause := errors.New("our cause")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, to := range [][2]string{{"tcp", "127.0.0.1:9"}, {"unix", "@nobody"}, {"tcp", "a.test:80"}} {
				_, err := new(sock.Dialer).DialContext(ctx, l, to[0], to[1])
				if !errors.Is(err, cause) || !strings.Contains(err.Error(), strings.TrimSuffix(to[1], ":80")) {
					t.Errorf("%s: %v, want %v and the address", to[1], err, cause)
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
