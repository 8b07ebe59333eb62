package sockhttp_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
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
