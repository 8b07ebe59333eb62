package sockhttp

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// pieces is a connection on which some bytes come a piece at a time, and then the end.
type pieces struct {
	net.Conn
	rest []byte
	most int
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(len(c.rest), c.most)])
	c.rest = c.rest[n:]
	return n, nil
}

// However a stream is looked at, read and discarded, its bytes are those that came, in their order.
func TestBuffered(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		all := make([]byte, rng.IntN(6*bufferedMin))
		for i := range all {
			all[i] = byte(rng.Uint32())
		}
		b := &buffered{Conn: &pieces{rest: all, most: 1 + rng.IntN(2*bufferedMin)}}
		for rest := all; ; {
			most := 1 + rng.IntN(bufferedMin)
			if rng.IntN(4) == 0 {
				most *= 3
			}
			n := 1 + rng.IntN(most)
			var p []byte
			var err error
			how := rng.IntN(3)
			switch how {
			case 0:
				if p, err = b.Peek(n); err == nil && len(p) != n {
					t.Fatalf("seed %d: Peek(%d) is %d bytes", seed, n, len(p))
				}
			case 1:
				p = make([]byte, n)
				n, err = b.Read(p)
				p = p[:n]
			case 2:
				n, err = b.Discard(n)
				p = rest[:min(n, len(rest))]
			}
			if !bytes.HasPrefix(rest, p) {
				t.Fatalf("seed %d: what came by way %d differs with %d bytes to come", seed, how, len(rest))
			}
			if how > 0 {
				rest = rest[len(p):]
			}
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if err == io.EOF && how > 0 {
				if len(rest) > 0 {
					t.Errorf("seed %d: the end comes with %d bytes left", seed, len(rest))
				}
				break
			}
		}
		if b.Buffered() != 0 || b.p != nil || b.mem != nil {
			t.Errorf("seed %d: a stream at its end has %d bytes of memory", seed, cap(b.p))
		}
	}
}

// A connection between requests, which has nothing, makes no garbage to get the next one.
func TestBufferedAllocs(t *testing.T) {
	request := bytes.Repeat([]byte("x"), 100)
	in := &pieces{most: len(request)}
	b := &buffered{Conn: in}
	if got := alloctest.Least(1000, 0.1, func() {
		in.rest = request
		if p, err := b.Peek(len(request)); err != nil || len(p) != len(request) {
			t.Fatal(len(p), err)
		}
		b.Discard(len(request))
	}); got > 0.1 && !race.Enabled {
		t.Errorf("%.2f allocations a request", got)
	}
}

// The memory of a stream that was given away is nobody else's.
func TestBufferedKept(t *testing.T) {
	for range 10 { // a pool may lose what it was given
		b := &buffered{Conn: &pieces{rest: []byte("unread"), most: 10}}
		p, _ := b.Peek(6)
		b.keep()
		b.Discard(6)
		other := &buffered{Conn: &pieces{rest: []byte("others"), most: 10}}
		other.Peek(6)
		if string(p) != "unread" {
			t.Fatalf("what was unread is %q", p)
		}
	}
}
