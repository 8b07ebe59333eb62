package ringokitex

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/cloudwego/netpoll"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// piped runs f in a task with a connection, to which the other end's task writes p in pieces of random sizes.
func piped(t *testing.T, seed uint64, p []byte, f func(c *conn)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			a, b, err := sock.Pipe(l)
			if err != nil {
				t.Fatal(err)
			}
			l.Go(func() {
				defer b.Close()
				r := rand.New(rand.NewPCG(seed, 1))
				for rest := p; len(rest) > 0; {
					n := min(len(rest), 1+r.IntN(1<<r.IntN(17)))
					if _, err := b.Write(rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
					l.Yield()
				}
			})
			c := newConn(a)
			defer c.Close()
			f(c)
			c.in.end()
		})
	})
}

// What is read, in whatever way, is what was sent, and stays until Release.
func TestReader(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		want := make([]byte, 1<<20)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		piped(t, seed, want, func(c *conn) {
			r, at := rand.New(rand.NewPCG(seed, 0)), 0
			type kept struct{ got, want []byte }
			var all []kept
			check := func() {
				for _, k := range all {
					if !bytes.Equal(k.got, k.want) {
						t.Fatalf("seed %d: %d bytes before %d have changed before Release, or were none of these", seed,
							len(k.want), at)
					}
				}
			}
			for at < len(want) {
				n := min(len(want)-at, 1+r.IntN(1<<r.IntN(18)))
				p, read, err := readSome(&c.in, r.IntN(9), n, want[at:])
				if err != nil {
					t.Fatalf("seed %d, %d bytes at %d: %v", seed, n, at, err)
				}
				if p != nil {
					all = append(all, kept{p, want[at : at+len(p)]})
				}
				at += read
				if r.IntN(4) == 0 {
					check()
					all = nil
					if err := c.in.Release(); err != nil {
						t.Fatal(err)
					}
				}
			}
			check()
			if _, err := c.in.Next(1); !errors.Is(err, io.EOF) || !errors.Is(err, netpoll.ErrEOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// readSome reads n bytes in one of the ways that there are, next of what will come. p may be nil.
func readSome(in *reader, way, n int, next []byte) (p []byte, read int, err error) {
	switch way {
	case 0:
		p, err = in.Peek(n)
		return p, 0, err
	case 1:
		return nil, n, in.Skip(n)
	case 2:
		var s string
		s, err = in.ReadString(n)
		return []byte(s), n, err
	case 3:
		p, err = in.ReadBinary(n)
		return p, n, err
	case 4:
		b, err := in.ReadByte()
		return []byte{b}, 1, err
	case 5:
		delim := next[n-1]
		p, err = in.Until(delim)
		if err == nil && bytes.IndexByte(next, delim) != len(p)-1 {
			err = errors.New("Until has not stopped at the first")
		}
		return p, len(p), err
	case 6:
		p = make([]byte, n)
		got, err := in.Read(p)
		return p[:got], got, err
	default:
		p, err = in.Next(n)
		return p, n, err
	}
}

// A Slice is a reader of its own.
func TestSlice(t *testing.T) {
	piped(t, 1, []byte("one two"), func(c *conn) {
		own, err := c.in.Slice(4)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := c.in.Next(3); err != nil || string(p) != "two" {
			t.Errorf("behind it: %q, %v", p, err)
		}
		if p, err := own.Next(4); err != nil || string(p) != "one " {
			t.Errorf("in it: %q, %v", p, err)
		}
	})
}

// A message that says it is long, and is not, has little memory.
func TestLongHead(t *testing.T) {
	piped(t, 1, make([]byte, 100_000), func(c *conn) {
		if _, err := c.in.Peek(1 << 30); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if got := cap(c.in.piece); got > 1<<20 {
			t.Errorf("100,000 bytes lie in a piece of %d", got)
		}
	})
}

// Between two messages nothing is held.
func TestRest(t *testing.T) {
	piped(t, 1, make([]byte, 300_000), func(c *conn) {
		for _, n := range []int{100, 100_000, 199_900} {
			if _, err := c.in.Next(n); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.in.Release(); err != nil {
			t.Fatal(err)
		}
		if c.in.held || c.in.piece != nil || len(c.in.old) > 0 {
			t.Error("memory is held, and nothing is unread")
		}
	})
}

// The length of a message is that of its protocol.
func TestLengthOf(t *testing.T) {
	for name, test := range map[string]struct {
		head []byte
		want int
	}{
		"framed thrift":   {[]byte{0, 0, 1, 0, 0x80, 1, 0, 1}, 260},
		"framed protobuf": {[]byte{0, 0, 1, 0, 0x90, 1, 0, 1}, 260},
		"ttheader":        {[]byte{0, 0, 1, 0, 0x10, 0, 0, 0}, 260},
		"thrift":          {[]byte{0x80, 1, 0, 1, 0, 0, 0, 4}, 0},
		"thrift whose name is as long as a magic": {[]byte{0x80, 1, 0, 1, 0x80, 1, 0, 4}, 0},
		"mesh header": {[]byte{0xff, 0xaf, 0, 1, 0, 0, 0, 4}, 0},
	} {
		if got := lengthOf(test.head); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	if got := kindOf([]byte("PRI * HTTP/2.0")); got != streams {
		t.Errorf("the preface of HTTP/2 is of kind %d", got)
	}
}

// A deadline that was there before the wait does not end it: what has come is read.
func TestStaleDeadline(t *testing.T) {
	piped(t, 1, []byte("one two"), func(c *conn) {
		if _, err := c.Conn.Peek(7); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Unix(1, 0))
		if p, err := c.in.Next(7); err != nil || string(p) != "one two" {
			t.Errorf("%q, %v", p, err)
		}
	})
}

// For what the task has waited in vain kitex does not wait again: it has the time-out, once.
func TestLateOnce(t *testing.T) {
	text := []byte("\x00\x00\x00\x20\x80\x01\x00\x01 and the rest of the message")
	for _, n := range []int{headLen - 1, headLen, headLen + 5} {
		socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				a, b, err := sock.Pipe(l)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				c := newConn(a)
				defer c.Close()
				b.Write(text[:n])
				c.readTimeout = time.Millisecond
				new(server).gather(c)
				c.readTimeout = 0 // for ever
				if _, err := c.in.Peek(len(text)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%d bytes: %v", n, err)
				}
				b.Write(text[n:])
				if p, err := c.in.Next(len(text)); err != nil || !bytes.Equal(p, text) {
					t.Errorf("%d bytes, and then the rest: %q, %v", n, p, err)
				}
				c.in.end()
			})
		})
	}
}

// What a goroutine leaves to the task goes before what it sends itself.
func TestWriterOrder(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			a, b, err := sock.Pipe(l)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			c := newConn(a)
			defer c.Close()
			var want []byte
			c.out.keeps = true
			for i, n := range []int{10, 4000, 100, 5000, 1, 20_000, 2} {
				p := bytes.Repeat([]byte{byte('a' + i)}, n)
				want = append(want, p...)
				if _, err := c.out.WriteBinary(p); err != nil {
					t.Fatal(err)
				}
				if err := c.out.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.out.sendKept(); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("what has come is another: %v", err)
			}
			c.out.end()
		})
	})
}
