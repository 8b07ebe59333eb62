package sockhttp_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// A script is what a server sends for a request, and whether it ends the connection then.
type script struct {
	name, method, answer string
	ends                 bool
	more                 bool // there is more than an answer
}

func inChunks(rest string) string {
	return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

var scripts = []script{
	{name: "plain", answer: ok},
	{name: "no reason", answer: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
	{name: "1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "1.0 keep-alive", answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
	{name: "close", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
	{name: "up to the end", answer: "HTTP/1.1 200 OK\r\n\r\nall of it", ends: true},
	{name: "ends behind the answer", answer: ok, ends: true},
	{name: "chunks", answer: inChunks("2\r\nok\r\n0\r\n\r\n")},
	{name: "chunks with extensions", answer: inChunks("2;a=b;c=\"d\"\r\nok\r\n0;x\r\n\r\n")},
	{name: "trailers",
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\n" +
			"X: 1\r\nY: 2\r\n\r\n"},
	{name: "bad chunk", answer: inChunks("zz\r\nok\r\n0\r\n\r\n")},
	{name: "chunk without its end", answer: inChunks("2\r\nokay\r\n0\r\n\r\n")},
	{name: "chunks that end early", answer: inChunks("5\r\nok"), ends: true},
	{name: "no last chunk", answer: inChunks("2\r\nok\r\n"), ends: true},
	{name: "chunks in 1.0",
		answer: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ends: true},
	{name: "length and chunks",
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{name: "unknown coding", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\nok", ends: true},
	{name: "two codings",
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ends: true},
	{name: "length twice", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
	{name: "lengths differ", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"},
	{name: "negative length", answer: "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", ends: true},
	{name: "length +2", answer: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", ends: true},
	{name: "length of a word", answer: "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", ends: true},
	{name: "empty length", answer: "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", ends: true},
	{name: "huge length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", ends: true},
	{name: "less than its length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", ends: true},
	{name: "more than its length", answer: ok + "more", more: true},
	{name: "two answers", answer: ok + ok, more: true},
	{name: "HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
	{name: "HEAD in chunks", method: "HEAD", answer: inChunks("")},
	{name: "HEAD with a body", method: "HEAD", answer: ok, more: true},
	{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n"},
	{name: "204 with a length", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", more: true},
	{name: "304", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
	{name: "100", answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok},
	{name: "hints", answer: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok},
	{name: "101 to nothing", answer: "HTTP/1.1 101 Switching Protocols\r\n\r\nhello", ends: true},
	{name: "101",
		answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello", ends: true},
	{name: "gzip", answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(zipped("text")), zipped("text"))},
	{name: "gzip up to the end",
		answer: "HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n\r\n" + zipped("text"), ends: true},
	{name: "no gzip", answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"},
	{name: "nothing", answer: "", ends: true},
	{name: "nothing to a GET", method: "GET", answer: "", ends: true},
	{name: "no HTTP", answer: "SSH-2.0-OpenSSH\r\n", ends: true},
	{name: "HTTP/2", answer: "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "HTTP/1.2", answer: "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "HTTP/0.9", answer: "ok", ends: true},
	{name: "status of two digits", answer: "HTTP/1.1 20 OK\r\n\r\n", ends: true},
	{name: "status of a word", answer: "HTTP/1.1 abc OK\r\n\r\n", ends: true},
	{name: "status 000", answer: "HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n"},
	{name: "status 999", answer: "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"},
	{name: "head ends early", answer: "HTTP/1.1 200 OK\r\nContent-Le", ends: true},
	{name: "blank before colon", answer: "HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n"},
	{name: "no colon", answer: "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n"},
	{name: "empty name", answer: "HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 0\r\n\r\n"},
	{name: "fold", answer: "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"},
	{name: "folds of many lines",
		answer: "HTTP/1.1 200 OK\r\nX: 1\r\n" + strings.Repeat(" y\r\n", 1000) + "Content-Length: 0\r\n\r\n"},
	{name: "fold in the first field", answer: "HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 0\r\n\r\n"},
	{name: "NUL in a value", answer: "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n"},
	{name: "CR in a value", answer: "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"},
	{name: "bytes from 0x80", answer: "HTTP/1.1 200 OK\r\nX: \xff\xfe\r\nContent-Length: 0\r\n\r\n"},
	{name: "LF for line ends", answer: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
	{name: "names in all cases", answer: "HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\nx-a: 1\r\nX-A: 2\r\n\r\nok"},
	{name: "blanks around a value", answer: "HTTP/1.1 200 OK\r\nContent-Length: \t 2 \t\r\nX:1\r\n\r\nok"},
	{name: "long field",
		answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 2\r\n\r\nok"},
	{name: "too long a head",
		answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20000) + "\r\nContent-Length: 2\r\n\r\nok"},
	{name: "too many hints", answer: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 1000) + ok},
	{name: "long body", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000)},
	{name: "pragma", answer: "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 0\r\n\r\n"},
	{name: "keep-alive and close",
		answer: "HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n"},
}

// scripted serves one script on all connections. What it answers begins with which connection it is, as a field.
type scripted struct {
	ln    net.Listener
	mu    sync.Mutex
	now   script
	conns int
	got   []string // the requests
}

func newScripted(t testing.TB) *scripted {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{ln: ln}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		served.Wait()
	})
	return s
}

func (s *scripted) serve(c net.Conn) {
	defer c.Close() // with nothing unread, so that the answer is not lost
	c.SetDeadline(patience.Deadline())
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	for r := bufio.NewReader(c); ; {
		var text bytes.Buffer
		q, err := http.ReadRequest(bufio.NewReader(io.TeeReader(r, &text)))
		if err != nil {
			return
		}
		io.Copy(io.Discard, q.Body)
		s.mu.Lock()
		now := s.now
		if s.conns > 4 {
			now.answer = ok // enough of it
		}
		s.got = append(s.got, text.String())
		s.mu.Unlock()
		if _, err := io.WriteString(c, now.answer); err != nil || now.ends {
			return
		}
	}
}

// play has a transport make requests of the script's, and says all that the caller sees, how many connections there
// were, and what was sent.
func (s *scripted) play(tr http.RoundTripper, now script, times int) string {
	s.mu.Lock()
	s.now, s.conns, s.got = now, 0, nil
	s.mu.Unlock()
	var got strings.Builder
	for range times {
		method := now.method
		if method == "" {
			method = "POST" // which is not made again
		}
		r, err := http.NewRequest(method, "http://"+s.ln.Addr().String()+"/path?q=1", nil)
		if err != nil {
			panic(err)
		}
		a, err := tr.RoundTrip(r)
		if err != nil {
			fmt.Fprintf(&got, "error %v\n", kind(err))
			continue
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if len(body) > 1000 {
			body = fmt.Appendf(nil, "%d bytes", len(body))
		}
		_, writes := a.Body.(io.Writer)
		fmt.Fprintf(&got, "%s %s %d.%d length %d coding %v close %v uncompressed %v writes %v own %v\n",
			a.Proto, a.Status, a.ProtoMajor, a.ProtoMinor, a.ContentLength, a.TransferEncoding, a.Close,
			a.Uncompressed, writes, a.Request == r)
		show(&got, "field", a.Header)
		show(&got, "trailer", a.Trailer)
		fmt.Fprintf(&got, "body %q %v\n", body, kind(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&got, "%d connections\n%q\n", s.conns, s.got)
	return got.String()
}

// besides has a goroutine do what would stop the loop.
func besides[T any](l *ringo.Loop, f func() T) (v T) {
	l.Offload(func(context.Context) error {
		v = f()
		return nil
	})
	return v
}

// kind is an error without what differs from connection to connection.
func kind(err error) any {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return "of the connection"
	case err == nil:
		return nil
	}
	return err.Error()
}

// What comes of an answer is what net/http makes of it, whatever the answer.
func TestTransportAnswersAsNet(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := newScripted(t)
		const most = 16 << 10
		peer := &http.Transport{MaxResponseHeaderBytes: most, MaxIdleConnsPerHost: 1}
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := &sockhttp.Transport{MaxResponseHeaderBytes: most, MaxIdleConnsPerHost: 1}
			for _, now := range scripts {
				times := 2
				if now.ends || now.more {
					times = 1 // whether net/http takes the connection again depends on who comes first
				}
				want := besides(l, func() string { return s.play(peer, now, times) })
				peer.CloseIdleConnections()
				if got := s.play(tr, now, times); got != want {
					t.Errorf("%s\n got %s\nwant %s", now.name, got, want)
				}
				if got := s.play(tr, now, 2); now.more && !strings.Contains(got, "\n2 connections\n") {
					t.Errorf("%s, twice: %s", now.name, got)
				}
				tr.CloseIdleConnections()
			}
		})
	})
}

// The same of answers that are altered at random.
func TestTransportRandomAnswersAsNet(t *testing.T) {
	cfg := ringo.Config{}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := newScripted(t)
	peer := &http.Transport{MaxResponseHeaderBytes: 16 << 10}
	defer peer.CloseIdleConnections()
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		tr := &sockhttp.Transport{MaxResponseHeaderBytes: 16 << 10}
		for range 500 {
			now := scripts[rnd.IntN(len(scripts))]
			now.answer = alter(rnd, now.answer)
			now.ends = true
			want := besides(l, func() string { return s.play(peer, now, 1) })
			peer.CloseIdleConnections()
			if got := s.play(tr, now, 1); got != want && namesBesideClose.ReplaceAllString(got, "") != want {
				t.Errorf("seed %d, %q\n got %s\nwant %s", seed, now.answer, got, want)
			}
			tr.CloseIdleConnections()
		}
	})
}

// namesBesideClose is a Connection that net/http drops.
var namesBesideClose = regexp.MustCompile(`(?mi)^ *field Connection: .*\bclose\b.*\n`)

// alter changes a byte or two.
func alter(rnd *rand.Rand, s string) string {
	p := []byte(s[:min(len(s), 2000)])
	for range rnd.IntN(3) {
		if len(p) == 0 {
			break
		}
		i := rnd.IntN(len(p))
		switch rnd.IntN(3) {
		case 0:
			p[i] = "\r\n :;0aA\x00\xff-,"[rnd.IntN(12)]
		case 1:
			p = append(p[:i], p[i+1:]...)
		default:
			p = append(p[:i:i], append([]byte{p[i]}, p[i:]...)...)
		}
	}
	return string(p)
}

// requests are those whose bytes are net/http's.
var requests = []struct {
	name string
	make func(url string) (*http.Request, error)
}{
	{"fields", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("GET", url+"/a b?q=ü&r#f", nil)
		r.Header = http.Header{"B": {"2", " 3 "}, "A": {"1"}, "Accept": nil, "User-Agent": {"me"},
			"Content-Length": {"9"}, "Host": {"no"}, "Transfer-Encoding": {"x"}, "Trailer": {"y"},
			"c-d": {"raw"}, "Connection": {"x"}}
		return r, err
	}},
	{"no agent", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("DELETE", url, nil)
		r.Header["User-Agent"] = nil
		return r, err
	}},
	{"range", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("GET", url+"//x/%2f", nil)
		r.Header.Set("Range", "bytes=0-1")
		r.Host = "other.test"
		return r, err
	}},
	{"a host that is none", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("GET", url+"?", nil)
		r.Host = "a/b c"
		return r, err
	}},
	{"a zone", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("OPTIONS", url, nil)
		r.Host = "[fe80::1%eth0]:80"
		return r, err
	}},
	{"opaque", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("OPTIONS", url, nil)
		r.URL.Opaque = "*"
		return r, err
	}},
	{"small body", func(url string) (*http.Request, error) {
		return http.NewRequest("PUT", url, strings.NewReader("abc"))
	}},
	{"no body", func(url string) (*http.Request, error) { return http.NewRequest("PATCH", url, http.NoBody) }},
	{"unknown body", func(url string) (*http.Request, error) {
		return http.NewRequest("POST", url, lately{strings.NewReader("abc")})
	}},
	{"trailers", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("POST", url, lately{strings.NewReader("abc")})
		r.Trailer = http.Header{"Z": {"1"}, "y-x": {"2"}}
		return r, err
	}},
	{"a wrong trailer", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("POST", url, lately{strings.NewReader("abc")})
		r.Trailer = http.Header{"Content-Length": {"1"}}
		return r, err
	}},
	{"unknown body that is none", func(url string) (*http.Request, error) {
		return http.NewRequest("GET", url, lately{strings.NewReader("")})
	}},
	{"unknown body of a GET", func(url string) (*http.Request, error) {
		return http.NewRequest("GET", url, lately{strings.NewReader("abc")})
	}},
	{"chunks by wish", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("POST", url, strings.NewReader("abc"))
		r.TransferEncoding = []string{"chunked"}
		return r, err
	}},
	{"identity", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("DELETE", url, nil)
		r.TransferEncoding = []string{"identity"}
		return r, err
	}},
	{"identity of no body", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("DELETE", url, http.NoBody)
		r.TransferEncoding = []string{"identity"}
		return r, err
	}},
	{"close", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("GET", url, nil)
		r.Close = true
		return r, err
	}},
	{"a control character", func(url string) (*http.Request, error) {
		r, err := http.NewRequest("GET", url, nil)
		r.URL.Opaque = "/a\nb"
		return r, err
	}},
	{lacking, func(url string) (*http.Request, error) {
		r, err := http.NewRequest("POST", url, nil)
		r.ContentLength = 3
		return r, err
	}},
}

// lacking is a request that net/http fails in the goroutine that writes, which closes the connection: sometimes the one
// that reads has told of that before.
const lacking = "a length and no body"

// Requests are sent as net/http sends them, and none is altered.
func TestTransportRequestsAsNet(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := newScripted(t)
		s.now = script{answer: ok}
		url := "http://" + s.ln.Addr().String()
		for _, off := range []bool{false, true} {
			peer := &http.Transport{DisableKeepAlives: off, DisableCompression: off}
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				tr := &sockhttp.Transport{DisableKeepAlives: off, DisableCompression: off}
				sent := func(rt http.RoundTripper, of func(string) (*http.Request, error)) string {
					s.mu.Lock()
					s.got = nil
					s.mu.Unlock()
					r, err := of(url)
					if err != nil {
						t.Fatal(err)
					}
					before := fmt.Sprintf("%v %v %v", r.Header, r.URL, r.Host)
					if err = askUntil(rt, r); err != nil {
						return err.Error()
					}
					if after := fmt.Sprintf("%v %v %v", r.Header, r.URL, r.Host); after != before {
						t.Errorf("a request is altered to %s", after)
					}
					s.mu.Lock()
					defer s.mu.Unlock()
					return fmt.Sprintf("%q", s.got)
				}
				for _, r := range requests {
					want := besides(l, func() string { return sent(peer, r.make) })
					for i := 0; i < 100 && r.name == lacking && strings.HasSuffix(want, net.ErrClosed.Error()); i++ {
						want = besides(l, func() string { return sent(peer, r.make) })
					}
					got := sent(tr, r.make)
					if strings.TrimPrefix(want, errBroken) != strings.TrimPrefix(got, errBroken) {
						t.Errorf("%s\n got %s\nwant %s", r.name, got, want)
					}
				}
				tr.CloseIdleConnections()
				peer.CloseIdleConnections()
			})
		}
	})
}

// errBroken is before an error of net/http's where a connection is given up.
const errBroken = "net/http: HTTP/1.x transport connection broken: "

// A task's request allocates less than one by net/http's Transport, by its channels and goroutines at least.
func TestTransportAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("with -race there are others")
	}
	s := newScripted(t)
	s.now = script{answer: ok}
	two := newRawServer(t, "", func(r *raw, _ int) {
		for {
			f, ok := r.maybe(headers)
			if !ok {
				return
			}
			r.send(okOn(f.id))
		}
	})
	for name, c := range map[string]struct {
		url       string
		protocols *http.Protocols
	}{
		"HTTP/1": {"http://" + s.ln.Addr().String(), nil},
		"HTTP/2": {two.url(), prior2()},
	} {
		t.Run(name, func(t *testing.T) {
			socktest.OnLoop(t, ringo.Config{}, func(l *ringo.Loop) {
				count := func(rt http.RoundTripper) float64 {
					r := request(t, "GET", c.url, nil)
					return alloctest.Least(200, math.MaxFloat64, func() { // one count, of which a few are others'
						a, err := rt.RoundTrip(r)
						if err != nil {
							t.Fatal(err)
						}
						io.Copy(io.Discard, a.Body)
						a.Body.Close()
					})
				}
				tr, peer := &sockhttp.Transport{Protocols: c.protocols}, &http.Transport{Protocols: c.protocols}
				own, net := count(tr), besides(l, func() float64 { return count(peer) })
				if own > net-20 {
					t.Errorf("%v allocations, and %v by net/http's", own, net)
				}
				tr.CloseIdleConnections()
				peer.CloseIdleConnections()
			})
		})
	}
}
