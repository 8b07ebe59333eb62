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

// A trip is what a request needs on its way to an upstream and back. That of a request without a body is another's when
// the answer's body is closed: until then a transport may have the request, and of a body for longer.
type trip struct {
	rw     http.ResponseWriter
	v      *visit
	old    bool         // the client speaks HTTP/1.0
	out    http.Request // as an upstream gets it
	where  url.URL      // of out
	body   answer
	claims [3][1]string // values of X-Forwarded-*
	trace  httptrace.ClientTrace
	values context.Context // has the trace
	ctx    tracedContext

	opens  func(httptrace.GotConnInfo) // for trace, where there are visits
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

// tripFor gives a request one.
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

// ends lets another have it, if nobody else may. It is not called after a panic.
func (t *trip) ends(r *http.Request) {
	if r.Body != nil || t.ctx.asked.Load() {
		return
	}
	t.rw, t.v, t.out, t.where, t.body, t.claims = nil, nil, http.Request{}, url.URL{}, answer{}, [3][1]string{}
	t.trace.GotConn, t.trace.GotFirstResponseByte, t.trace.WroteRequest = nil, nil, nil
	t.ctx.requestContext = nil
	trips.Put(t)
}

// asks has a body that waits for 100 Continue wait for the upstream's. When the body is read, the client gets one.
func (t *trip) asks(body *lent) {
	t.trace.Wait100Continue = func() {
		l, _ := ringo.Current()
		body.asks = l.Now()
	}
	t.trace.Got100Continue = func() { body.asks = time.Time{} }
}

// claim is the value of one of X-Forwarded-*.
func (t *trip) claim(i int, value string) []string {
	t.claims[i][0] = value
	return t.claims[i][:]
}

// tracedContext is a request's own context, with a trace among its values. One of package context's would not tell of
// the request's end as cheaply as that does.
type tracedContext struct {
	requestContext
	values context.Context
	asked  atomic.Bool // for Done, as by who makes another of it
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

// context is ctx with the trace.
func (t *trip) context(ctx context.Context) context.Context {
	if own, ok := ctx.(requestContext); ok {
		t.ctx.requestContext, t.ctx.values = own, t.values
		return &t.ctx
	}
	return httptrace.WithClientTrace(ctx, &t.trace)
}

// hint passes on what comes before the answer, such as 103 Early Hints.
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
