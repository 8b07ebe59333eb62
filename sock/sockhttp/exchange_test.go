package sockhttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// tape is a connection on which one request comes again and again.
type tape struct {
	request []byte
	off     int
	wrote   int
	asked   int // for the peer's address
}

func (t *tape) Buffered() int              { return len(t.request) - t.off }
func (t *tape) Peek(n int) ([]byte, error) { return t.request[t.off : t.off+n], nil }
func (t *tape) Discard(n int) (int, error) { t.off += n; return n, nil }
func (t *tape) Read(p []byte) (int, error) {
	n := copy(p, t.request[t.off:])
	t.off += n
	return n, nil
}
func (t *tape) Write(p []byte) (int, error)      { t.wrote += len(p); return len(p), nil }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return tapeAddr{} }
func (t *tape) RemoteAddr() net.Addr             { t.asked++; return tapeAddr{} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

type tapeAddr struct{}

func (tapeAddr) Network() string { return "tcp" }
func (tapeAddr) String() string  { return "127.0.0.1:1" }

// onTape gives a function that has a request answered.
func onTape(h http.Handler, request string) func() {
	return answers(h, &tape{request: []byte(request)})
}

func answers(h http.Handler, t *tape) func() { return answersOn(nil, h, t) }

// answersOn is answers in a task of the loop.
func answersOn(l *ringo.Loop, h http.Handler, t *tape) func() {
	s := &Server{Handler: h}
	c := newOrigin(s, context.Background(), l).newConn(t, t)
	return func() {
		t.off = 0
		if err := c.answer(); err != nil {
			panic(err)
		}
	}
}

var exchanges = []struct {
	name, request string
	handler       http.HandlerFunc
	allocs        float64
}{
	// The exchange, the head's text and the map of its fields.
	{"bare", "GET /ping HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, World!") }, 3},
	// And that map's memory and its values; the handler's own are a map, its memory, a value, and what it writes.
	{"usual", "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nCookie: a=b; c=d\r\n" +
		"Referer: https://example.com/\r\nConnection: keep-alive\r\n\r\n",
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"a":1}`))
		}, 9},
}

// What is not the handler's to keep is made once.
func TestExchangeAllocates(t *testing.T) {
	if race.Enabled {
		t.Skip("a sync.Pool forgets at random with -race")
	}
	for _, e := range exchanges {
		if n := alloctest.Least(1000, e.allocs+.1, onTape(e.handler, e.request)); n > e.allocs+.1 {
			t.Errorf("%s: %.2f allocations, want %v", e.name, n, e.allocs)
		}
	}
}

// A write counts what it was given, whatever was held before it: io.Copy ends at a count that is too large.
func TestWritesCountTheirOwn(t *testing.T) {
	sizes := []int{0, 1, 100, holdMax - 1, holdMax, holdMax + 1, 5000, scratchSize, 100_000}
	for _, first := range sizes {
		for _, second := range sizes {
			on := &tape{request: []byte(exchanges[0].request)}
			answers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for _, size := range []int{first, second, 1} {
					if n, err := w.Write(make([]byte, size)); n != size || err != nil {
						t.Errorf("%d behind %d: Write = %d, %v", size, first, n, err)
					}
					if n, err := io.WriteString(w, strings.Repeat("x", size)); n != size || err != nil {
						t.Errorf("%d behind %d: WriteString = %d, %v", size, first, n, err)
					}
				}
			}), on)()
			if least := 2 * (first + second); on.wrote < least {
				t.Errorf("%d bytes went out, want %d and a head", on.wrote, least)
			}
		}
	}
}

// The peer's address is asked for once: net/http lets a listener of others take its time for it.
func TestRemoteAddrIsAskedOnce(t *testing.T) {
	on := &tape{request: []byte(exchanges[0].request)}
	once := answers(exchanges[0].handler, on)
	for range 3 {
		once()
	}
	if on.asked != 1 || on.wrote == 0 {
		t.Errorf("asked %d times, %d bytes of answers", on.asked, on.wrote)
	}
}

func BenchmarkExchange(b *testing.B) {
	for _, e := range exchanges {
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			once := onTape(e.handler, e.request)
			for b.Loop() {
				once()
			}
		})
		b.Run(e.name+"/reusing", func(b *testing.B) {
			b.ReportAllocs()
			runTask(b, func(l *ringo.Loop) {
				once := answersOn(l, TaskReusing(e.handler), &tape{request: []byte(e.request)})
				for b.Loop() {
					once()
				}
			})
		})
	}
}

// runTask runs f in a task of a loop.
func runTask(t testing.TB, f func(l *ringo.Loop)) {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		f(l)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// HTTP/2 is known by its first bytes, as soon as they can be nothing else.
func TestBegins(t *testing.T) {
	s := &Server{Protocols: new(http.Protocols)}
	c := newOrigin(s, context.Background(), nil).newConn(nil, new(tape))
	for spoken := range 4 {
		s.Protocols.SetHTTP1(spoken&1 != 0)
		s.Protocols.SetUnencryptedHTTP2(spoken&2 != 0)
		other := ofNobody
		if spoken&1 != 0 {
			other = ofHTTP1
		}
		for n := range len(preface) + 1 {
			p := []byte(preface[:n])
			want := other
			if spoken&2 != 0 {
				if want = notKnown; n == len(preface) {
					want = ofHTTP2
				}
			}
			if got := c.begins(p); got != want {
				t.Errorf("%q, spoken: %v: %d, want %d", p, s.Protocols, got, want)
			}
			if n == 0 {
				continue
			}
			p[n-1]++
			if got := c.begins(p); got != other {
				t.Errorf("%q, spoken: %v: %d, want %d", p, s.Protocols, got, other)
			}
		}
	}
}
