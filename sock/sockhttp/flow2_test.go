package sockhttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// The room for bodies that a stream was woken for is others' when the stream is reset before it takes it.
func TestResetLeavesItsRoom(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 200_000))
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url, setting(4, 1<<30))
		r.send(getOn(1))
		for n := 0; n < 65535; {
			n += len(r.until(data, 1).payload)
		}
		r.send(getOn(3))
		r.until(headers, 3)
		r.send(made(window, 0, 0, word(100)) + made(reset, 0, 1, word(8)))
		if n := len(r.until(data, 3).payload); n != 100 {
			t.Errorf("%d bytes", n)
		}
	})
}

// Heads of answers are as long as handlers make them, and as many as there are requests: they wait for each other.
func TestManyAndLongHeads(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 4000
		if r.Method == "POST" {
			n = 300_000
		}
		w.Header().Set("Long", strings.Repeat("x", n))
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url)
		var all strings.Builder
		for i := range 200 {
			all.WriteString(getOn(uint32(2*i + 1)))
		}
		r.send(all.String())
		for range 200 {
			r.until(headers, 0)
		}
		r.send(made(headers, endStream|endHeaders, 1001, head("POST", "/")))
		r.until(headers, 1001)
		for r.until(continuation, 1001).flags&endHeaders == 0 {
		}
	})
}

// The rest of a body whose answer came early is on its way for as long as its peer has not heard of that. It does no
// harm to others, however small its pieces are and many, and is not refused piece by piece.
func TestRestOfABody(t *testing.T) {
	eachClear2(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, func(t *testing.T, url string) {
		r := dial2(t, url)
		r.send(made(headers, endHeaders, 1, head("POST", "/")))
		r.until(reset, 1)
		r.send(strings.Repeat(made(data, 0, 1, strings.Repeat("x", 500)), 2500) + getOn(3))
		for {
			switch f, err := r.next(); {
			case err != nil || f.kind == goAway || f.kind == reset:
				t.Fatalf("a frame of type %d on stream %d: %v", f.kind, f.id, err)
			case f.kind == headers:
				return
			}
		}
	})
}

// What has come on a stream that is reset is kept for nobody, and is not taken for a whole body.
func TestResetForgetsItsBody(t *testing.T) {
	in, goes, read := make(chan bool, 1), make(chan bool, 1), make(chan error, 1)
	h := sockhttp.Goroutine(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		in <- true
		<-goes
		n, err := io.Copy(io.Discard, r.Body)
		if n > 0 {
			err = nil
		}
		read <- err
	}))
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url)
		for i, flags := range []byte{0, endStream} {
			id := uint32(2*i + 1)
			r.send(made(headers, endHeaders, id, head("POST", "/")) + made(data, flags, id, strings.Repeat("x", 9999)))
			patience.Recv(t, "the handler", in)
			r.send(made(reset, 0, id, word(8)) + made(ping, 0, 0, "12345678"))
			r.until(ping, 0)
			goes <- true
			if err := patience.Recv(t, "the end of the body", read); err == nil {
				t.Error("it is read")
			}
		}
	})
}

// The time that a head may take goes on when the last stream ends.
func TestHeadTimeoutGoesOn(t *testing.T) {
	t.Parallel()
	in, goes := make(chan bool, 1), make(chan bool, 1)
	h := sockhttp.Goroutine(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		in <- true
		<-goes
	}))
	set := func(s *sockhttp.Server) { s.ReadHeaderTimeout, s.IdleTimeout = 20*short, time.Hour }
	eachClear2(t, h, set, func(t *testing.T, url string) {
		r := dial2(t, url)
		r.send(getOn(1))
		patience.Recv(t, "the handler", in)
		r.send(made(headers, endStream, 3, head("GET", "/")))
		goes <- true
		if _, err := r.ends(); err != nil {
			t.Error(err)
		}
	})
}

// A peer from which nothing comes is asked whether it is there: one that answers stays, one that does not is given up.
func TestSendPingTimeout(t *testing.T) {
	config := &http.HTTP2Config{SendPingTimeout: short}
	set := func(s *sockhttp.Server) { s.HTTP2 = config }
	for _, answers := range []bool{true, false} {
		if config.PingTimeout = time.Hour; !answers {
			config.PingTimeout = short
		}
		eachClear2(t, http.HandlerFunc(echo), set, func(t *testing.T, url string) {
			r := dial2(t, url)
			if !answers {
				r.until(ping, 0)
				if _, err := r.ends(); err != nil {
					t.Error(err)
				}
				return
			}
			for range 3 {
				f := r.until(ping, 0)
				if f.flags != 0 {
					t.Error("an answer to what was not asked")
				}
				r.send(made(ping, 1, 0, string(f.payload)))
			}
			r.send(getOn(1))
			r.until(headers, 1)
		})
	}
}

// CountError is told of what a peer does wrong, once.
func TestCountError(t *testing.T) {
	told := make(chan string, 100)
	set := func(s *sockhttp.Server) {
		s.HTTP2 = &http.HTTP2Config{CountError: func(what string) { told <- what }}
	}
	eachClear2(t, http.HandlerFunc(echo), set, func(t *testing.T, url string) {
		for _, wrong := range []struct{ frame, of, code string }{
			{made(ping, 0, 1, "12345678"), "conn", "PROTOCOL_ERROR"},
			{getOn(1) + made(window, 0, 1, word(0)), "stream", "PROTOCOL_ERROR"},
			{made(ping, 0, 0, "1"), "conn", "FRAME_SIZE_ERROR"},
		} {
			r := dial2(t, url)
			r.send(wrong.frame)
			if got := patience.Recv(t, "the count", told); !strings.HasPrefix(got, wrong.of+"_"+wrong.code+"_") ||
				strings.Contains(got, " ") {
				t.Errorf("%q", got)
			}
			r.Close()
		}
	})
	select {
	case what := <-told:
		t.Errorf("%q is counted as well", what)
	default:
	}
}

// A stream that is reset while it waits for another's handler to end has none.
func TestResetWhileItWaits(t *testing.T) {
	in, goes := make(chan string, 9), make(chan bool)
	h := sockhttp.Goroutine(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		in <- r.URL.Path
		<-goes
	}))
	set := func(s *sockhttp.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1} }
	get := func(id uint32, path string) string {
		return made(headers, endStream|endHeaders, id, head("GET", path))
	}
	eachClear2(t, h, set, func(t *testing.T, url string) {
		r := dial2(t, url)
		r.send(get(1, "/first"))
		patience.Recv(t, "the first handler", in)
		r.send(made(reset, 0, 1, word(8)) + get(3, "/waits") + made(reset, 0, 3, word(8)) + get(5, "/last") +
			made(ping, 0, 0, "12345678"))
		r.until(ping, 0)
		goes <- true
		if path := patience.Recv(t, "the next handler", in); path != "/last" {
			t.Errorf("a handler runs for %s", path)
		}
		goes <- true
		r.until(headers, 5)
	})
}

// Trailers that a request has named come behind its body.
func TestRequestTrailers(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err, r.Trailer)
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url)
		r.send(made(headers, endHeaders, 1, head("POST", "/", "trailer", "A")) + made(data, 0, 1, "body") +
			made(headers, endHeaders|endStream, 1, "\x00\x01a\x011\x00\x01b\x011"))
		if got := string(r.until(data, 1).payload); got != "4 <nil> map[A:[1]]" {
			t.Errorf("%q", got)
		}
	})
}
