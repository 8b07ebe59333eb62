package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
)

// A trip has the objects that a request needs on its way to an upstream and back, so that a request allocates none of
// them. Trips are used again: one of a request without a body goes back to the pool when the answer's body is closed,
// since a transport may use the request until then. With a body the transport may use it for longer, so that trip is
// not pooled.
type trip struct {
	rw     http.ResponseWriter
	v      *visit
	old    bool         // the client speaks HTTP/1.0
	out    http.Request // the request as the upstream gets it
	where  url.URL      // the URL of out
	body   answer
	claims [3][1]string // values of X-Forwarded-*
	trace  httptrace.ClientTrace
	values context.Context // a context with the trace
	ctx    tracedContext

	opens  func(httptrace.GotConnInfo) // functions for trace, set if there is a visit
	begins func()
}

var trips = sync.Pool{New: func() any { return newTrip() }}

func newTrip() *trip {
	t := new(trip)
	t.trace.Got1xxResponse = t.hint
	t.opens, t.begins = func(httptrace.GotConnInfo) { t.v.opens() }, func() { t.v.begins() }
	t.values = httptrace.WithClientTrace(context.Background(), &t.trace)
	return t
}

// tripFor returns a trip for a request, from the pool if the request has no body.
func tripFor(rw http.ResponseWriter, r *http.Request, v *visit) (t *trip) {
	if r.Body == nil {
		t = trips.Get().(*trip)
	} else {
		t = newTrip()
	}
	if t.rw, t.v, t.old = rw, v, !r.ProtoAtLeast(1, 1); v != nil {
		t.trace.GotConn, t.trace.GotFirstResponseByte = t.opens, t.begins
	}
	return t
}

// ends returns the trip to the pool, unless the transport may still use it: the request has a body, or a caller has
// asked for the context's Done channel. It is not called after a panic.
func (t *trip) ends(r *http.Request) {
	if r.Body != nil || t.ctx.asked.Load() {
		return
	}
	t.rw, t.v, t.out, t.where, t.body, t.claims = nil, nil, http.Request{}, url.URL{}, answer{}, [3][1]string{}
	t.trace.GotConn, t.trace.GotFirstResponseByte, t.trace.WroteRequest = nil, nil, nil
	t.ctx.requestContext = nil
	trips.Put(t)
}

// asks makes a body wait for the upstream's 100 Continue, if the client expects one. The server sends the client its
// own when the body is first read.
func (t *trip) asks(body *lent) {
	t.trace.Wait100Continue = func() {
		l, _ := ringo.Current()
		body.asks = l.Now()
	}
	t.trace.Got100Continue = func() { body.asks = time.Time{} }
}

// claim returns the value of one of the X-Forwarded-* fields, in memory of the trip.
func (t *trip) claim(i int, value string) []string {
	t.claims[i][0] = value
	return t.claims[i][:]
}

// tracedContext is a request's own context plus a trace among its values. A context made by package context would not
// support AfterFunc as cheaply as the request's own does.
type tracedContext struct {
	requestContext
	values context.Context
	asked  atomic.Bool // Done was called, as when another context is derived from it
}

type requestContext interface {
	context.Context
	AfterFunc(func()) (stop func() bool)
}

func (t *tracedContext) Done() <-chan struct{} {
	t.asked.Store(true)
	return t.requestContext.Done()
}

func (t *tracedContext) Value(key any) any {
	if v := t.values.Value(key); v != nil {
		return v
	}
	return t.requestContext.Value(key)
}

// context returns ctx with the trace.
func (t *trip) context(ctx context.Context) context.Context {
	if own, ok := ctx.(requestContext); ok {
		t.ctx.requestContext, t.ctx.values = own, t.values
		return &t.ctx
	}
	return httptrace.WithClientTrace(ctx, &t.trace)
}

// hint passes on an informational answer, such as 103 Early Hints.
func (t *trip) hint(status int, fields textproto.MIMEHeader) error {
	if status == http.StatusContinue || t.old { // the client gets that when its body is read, and HTTP/1.0 has none
		return nil
	}
	dropOfConnection(http.Header(fields))
	h := t.rw.Header()
	for name, values := range fields {
		h[name] = values
	}
	t.rw.WriteHeader(status)
	clear(h)
	h["Content-Type"] = nil
	return nil
}
