package sock_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

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

func newNameServer(t testing.TB, answers map[string][]netip.Addr) *nameServer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: c, answers: answers, gates: map[uint16]chan struct{}{}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.serve()
	}()
	t.Cleanup(func() {
		c.Close()
		<-served
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		for _, c := range s.asking {
			c.Close()
		}
	})
	return s
}

// resolver asks this server and nobody else.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return nil, net.ErrClosed
		}
		c, err := new(net.Dialer).DialContext(ctx, "udp4", s.conn.LocalAddr().String())
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

// addrsOf parses addresses.
func addrsOf(list ...string) (addrs []netip.Addr) {
	for _, s := range list {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs
}
