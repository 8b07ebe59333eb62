package sockhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
	"ringo/stats"
)

// unending is a body that says something, and then waits until its task is cancelled.
type unending struct {
	first  string
	never  *ringo.Chan[bool]
	closed bool
}

func newUnending(first string) *unending {
	return &unending{first: first, never: ringo.NewChan[bool](0)}
}

func (b *unending) Read(p []byte) (n int, err error) {
	if b.first == "" {
		_, err = b.never.Recv()
		return 0, err
	}
	n = copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

func (b *unending) Close() error {
	b.closed = true
	return nil
}

// An answer that is whole can be read, also when its server has refused what was left of the request, or the client has
// not sent it: neither is an error, and nor is that the wait of the request's body has ended with that.
func TestTransport2WholeAnswers(t *testing.T) {
	for name, sent := range map[string]string{
		"reset":   okOn(1) + made(reset, 0, 1, word(0)),
		"refused": made(headers, endHeaders, 1, headAs("413")) + made(data, endStream, 1, "ok"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawServer(t, "", func(r *raw, n int) {
				r.maybe(headers)
				r.until(data, 1)
				r.send(sent)
				r.drain()
			})
			asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
				body := newUnending("some")
				a, err := tr.RoundTrip(request(t, "POST", s.url(), body))
				if err != nil {
					t.Fatal(err)
				}
				defer a.Body.Close()
				untilOn(t, l, "the end of the request's body", func() bool { return body.closed })
				if got, err := io.ReadAll(a.Body); string(got) != "ok" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}

// What is left of a request whose answer has come is given up when the answer is closed, though it was read to its end,
// and with the context: its server may never have room for it.
func TestTransport2StalledRequests(t *testing.T) {
	for name, answer := range map[string]string{
		"an answer": okOn(1),
		"bare":      made(headers, endHeaders|endStream, 1, headAs("200")),
		"bare gzip": made(headers, endHeaders|endStream, 1, headAs("200", "content-encoding", "gzip")),
	} {
		for _, by := range []string{"Close", "context"} {
			t.Run(name+", "+by, func(t *testing.T) {
				said := make(chan uint32, 10)
				s := newRawServer(t, setting(4, 10), func(r *raw, n int) {
					r.maybe(headers)
					r.send(answer)
					if f, ok := r.maybe(reset); ok {
						said <- f.code()
					}
					r.drain()
				})
				asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					r := request(t, "POST", s.url(), bytes.NewReader(make([]byte, 1<<20))).WithContext(ctx)
					a, err := tr.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(a.Body); err != nil {
						t.Errorf("%q, %v", got, err)
					}
					coded := a.Header.Get("Content-Encoding") != ""
					if coded != (name == "bare gzip") || a.Uncompressed {
						t.Errorf("coded %v, uncompressed %v", coded, a.Uncompressed)
					}
					if by == "Close" {
						a.Body.Close()
					} else {
						cancel()
					}
					l.Offload(func(context.Context) error {
						if code := patience.Recv(t, "the reset", said); code != 8 {
							t.Errorf("code %d", code)
						}
						return nil
					})
				})
			})
		}
	}
}

// A server that stops reading keeps no task when nobody waits for it any more, and its connection ends.
func TestTransport2UnreadRequests(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprint("single ", single), func(t *testing.T) {
			over := make(chan bool)
			s := newRawServer(t, setting(4, 1<<31-1), func(r *raw, n int) {
				r.send(made(window, 0, 0, word(1<<30)))
				r.maybe(headers)
				<-over
			})
			set := func(tr *sockhttp.Transport) { tr.DisableKeepAlives = single }
			asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
				body := newUnending(strings.Repeat("x", 64<<20))
				var err error
				asks := l.Go(func() { _, err = tr.RoundTrip(request(t, "POST", s.url(), body)) })
				left := 0
				untilOn(t, l, "a request that stands still", func() bool {
					stands := left == len(body.first) && left < 64<<20
					left = len(body.first)
					return stands
				})
				asks.Cancel()
				if asks.Wait(); err == nil {
					t.Error("no error")
				}
				untilOn(t, l, "the end of its tasks", func() bool { return l.Stats().Tasks <= 1 })
			})
			close(over)
		})
	}
}

// A request that had the only stream's place, and begins none, gives it to one of another loop.
func TestTransport2GivesRoom(t *testing.T) {
	s := newRawServer(t, "", func(r *raw, n int) {
		for f, ok := r.maybe(headers); ok; f, ok = r.maybe(headers) {
			r.send(okOn(f.id))
		}
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		tr := &sockhttp.Transport{Protocols: prior2(), MaxConnsPerHost: 1}
		var connected, waits atomic.Bool
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				body := lately{readFunc(func([]byte) (int, error) {
					connected.Store(true)
					untilOn(t, l, "a wait of the other", waits.Load)
					return 0, io.EOF
				})}
				r := request(t, "POST", s.url(), body)
				r.ContentLength, r.GetBody = 5, func() (io.ReadCloser, error) { return io.NopCloser(body), nil }
				if got := says(tr, r); got != "error http: ContentLength=5 with Body length 0" {
					t.Error(got)
				}
				return nil
			}
			untilOn(t, l, "a connection", connected.Load)
			l.GoNamed("other", func() {
				if got := says(tr, request(t, "GET", s.url(), nil)); got != `200 -1 "ok" <nil> map[]` {
					t.Error(got)
				}
			})
			untilOn(t, l, "a wait", func() bool {
				return slices.ContainsFunc(l.Tasks(), func(one stats.Task) bool {
					return one.Name == "other" && one.WaitOp == "Chan.Recv"
				})
			})
			waits.Store(true)
			untilOn(t, l, "an answer", func() bool { return l.Stats().Tasks <= 1 })
			tr.CloseIdleConnections()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// A connection at rest ends whose server answers no PING.
func TestTransport2PingAtRest(t *testing.T) {
	ended := make(chan error, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		r.maybe(headers)
		r.send(okOn(1))
		_, err := io.Copy(io.Discard, r)
		ended <- err
	})
	set := func(tr *sockhttp.Transport) { tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: short, PingTimeout: short} }
	asTask2(t, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		says(tr, request(t, "GET", s.url(), nil))
		l.Offload(func(context.Context) error {
			if err := patience.Recv(t, "the connection's end", ended); err != nil {
				t.Error(err)
			}
			return nil
		})
	})
}

// A server that goes in order, and then for something wrong, is quoted with that.
func TestTransport2GoAwayTwice(t *testing.T) {
	s := newRawServer(t, "", func(r *raw, n int) {
		r.maybe(headers)
		r.send(made(headers, endHeaders, 1, headAs("200")) + made(goAway, 0, 0, word(1<<31-1)+word(0)) +
			made(goAway, 0, 0, word(1)+word(calm)+"why"))
	})
	asTask2(t, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
		const want = `LastStreamID=1, ErrCode=ENHANCE_YOUR_CALM, debug="why"`
		if got := says(tr, request(t, "GET", s.url(), nil)); !strings.Contains(got, want) {
			t.Errorf("got %s", got)
		}
	})
}

// A body that is longer than was said ends its request at once: there may be no end to it.
func TestTransport2LongBodies(t *testing.T) {
	s := newRawServer(t, "", func(r *raw, n int) { r.drain() })
	asTask2(t, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
		r := request(t, "POST", s.url(), newUnending("abcdefg"))
		r.ContentLength = 5
		if got := says(tr, r); got != "error http: ContentLength=5 with Body length 7" {
			t.Errorf("got %s", got)
		}
	})
}

// A server may allow as many streams as there are numbers.
func TestTransport2AllStreams(t *testing.T) {
	s := newRawServer(t, setting(3, 1<<32-1), func(r *raw, n int) {
		for f, ok := r.maybe(headers); ok; f, ok = r.maybe(headers) {
			r.send(okOn(f.id))
		}
	})
	asTask2(t, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
		for range 2 { // of which the second knows
			if got := says(tr, request(t, "GET", s.url(), nil)); got != `200 -1 "ok" <nil> map[]` {
				t.Errorf("got %s", got)
			}
		}
	})
}
