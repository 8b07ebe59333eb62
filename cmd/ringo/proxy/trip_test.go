package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"testing"
)

// TestTripsAreKept: the memory of a request is another's, empty, unless somebody else may have it.
func TestTripsAreKept(t *testing.T) {
	given := func(p *trip) bool { return p.rw == nil }
	for _, c := range []struct {
		name  string
		body  bool
		use   func(p *trip, r *http.Request)
		given bool
	}{
		{"nothing", false, func(*trip, *http.Request) {}, true},
		{"a body", true, func(*trip, *http.Request) {}, false},
		{"its context", false, func(p *trip, r *http.Request) { p.context(r.Context()).Err() }, true},
		{"a context of its context", false, func(p *trip, r *http.Request) {
			_, cancel := context.WithCancel(p.context(r.Context()))
			cancel()
		}, false},
	} {
		r, _ := http.NewRequestWithContext(ownContext{t.Context()}, "GET", "http://a/", nil)
		if c.body {
			r.Body = http.NoBody // which pass takes for none, and this does not
		}
		p := tripFor(new(sink), r, new(visit))
		if httptrace.ContextClientTrace(p.context(r.Context())) != &p.trace {
			t.Errorf("%s: the context has no trace", c.name)
		}
		p.out, p.claim(0, "a")[0] = *r, "a"
		p.trace.WroteRequest = func(httptrace.WroteRequestInfo) {}
		c.use(p, r)
		if p.ends(r); given(p) != c.given {
			t.Errorf("%s: given %v, want %v", c.name, given(p), c.given)
		}
		kept := p.v != nil || p.out.URL != nil || p.claims != [3][1]string{} || p.trace.GotConn != nil ||
			p.trace.GotFirstResponseByte != nil || p.trace.WroteRequest != nil || p.ctx.requestContext != nil
		if kept == c.given {
			t.Errorf("%s: it has %+v", c.name, p)
		}
	}
}
