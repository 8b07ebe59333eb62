package sockhttp

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"ringo/internal/invariant"
)

// exchange is a request and its answer. It is made anew for each request, since a handler may keep any part of it; only
// after a handler of TaskReusing is it used again on its loop.
type exchange struct {
	conn    *conn
	made    http.Request // as the server has made it, even if handlers change theirs
	url     url.URL
	ctx     requestContext
	body    *body // see hasBody
	res     response
	watcher *watcher
	memory  memory
}

// memory is what an exchange keeps for the next request beside itself. Between two requests all of it but the text is
// empty.
type memory struct {
	text   string // of the head: the next one is often the same
	fields http.Header
	values []string
	many   bool   // the head had more lines than fieldsMax
	hook   *hook  // of ctx
	gone   func() // called when the peer has ended
}

const (
	exchangesMax = 32      // kept by the loop of a listener
	textMax      = 4 << 10 // bytes of a head that is kept; the bound for its fields is fieldsMax
)

// scratch is memory for bytes that are read or written between a handler and the connection.
var scratch = sync.Pool{New: func() any {
	p := make([]byte, 0, scratchSize)
	return &p
}}

const scratchSize = 8192

// take returns scratch memory, empty.
func take() *[]byte {
	p := scratch.Get().(*[]byte)
	*p = (*p)[:0]
	return p
}

// give takes scratch memory back, unless it has grown: one large head is no reason to keep that much for good.
func give(p *[]byte) {
	if cap(*p) == scratchSize {
		scratch.Put(p)
	}
}

// newExchange makes the exchange for a whole head.
func (c *conn) newExchange(head []byte) (*exchange, error) {
	x := c.takeExchange()
	x.conn = c
	if x.memory.text != string(head) {
		x.memory.text = string(head)
	}
	x.ctx.Context, x.ctx.x = (*connContext)(c), x
	x.made = *blank.WithContext(&x.ctx) // copied, so that the request itself is not on the heap
	r := &x.made
	r.URL = &x.url
	x.res.x, x.res.length = x, -1
	h, err := parseHead(&x.memory, r)
	if err != nil {
		return x, err
	}
	if x.res.persists = h.persists; h.continues && r.ProtoMinor > 0 { // HTTP/1.0 has no 100, so its peer does not wait
		x.res.ask = new(ask)
	}
	r.Body = http.NoBody
	if n := h.length; n != 0 {
		if x.body == nil {
			x.body = new(body)
		}
		x.body.x, x.body.chunked, x.body.left = x, n < 0, max(n, 0)
		r.Body = x.body
	}
	r.RemoteAddr, r.TLS = c.remote, c.tls
	if r.ProtoMajor == 2 { // the preface of HTTP/2, which a handler may take over
		r.ContentLength, r.Close = -1, true
	}
	x.res.last = r.Close
	return x, nil
}

// Interrupt ends the waits of the handler.
func (x *exchange) Interrupt() { go x.cutOff() }

func (x *exchange) cutOff() {
	x.ctx.end(context.Canceled)
	x.conn.cutOff()
}

// hasBody reports whether the request has a body. x.body may be left from another request, for which the exchange was
// used before: it is large, and most requests have none.
func (x *exchange) hasBody() bool { return x.body != nil && x.body.x != nil }

// bodyRead reports whether further input does not belong to the request.
func (x *exchange) bodyRead() bool { return !x.hasBody() || x.body.ended.Load() }

// takeExchange returns an exchange that was given back, or a new one.
func (o *origin) takeExchange() *exchange {
	n := len(o.free)
	if n == 0 {
		return new(exchange)
	}
	x := o.free[n-1]
	o.free[n-1], o.free = nil, o.free[:n-1]
	x.reset()
	return x
}

// giveBack keeps an exchange for another request, after its handler, of TaskReusing, has returned; it does not if other
// code may have it. Only tasks of the loop call it.
func (o *origin) giveBack(x *exchange) {
	switch {
	case x.isShared():
		return
	case invariant.Enabled:
		x.poison()
		return
	case len(o.free) == exchangesMax:
		return
	}
	x.empty()
	x.reset()
	x.end()
	x.made = http.Request{}
	o.free = append(o.free, x)
}

// isShared reports whether other code may have the exchange: it waits for its end, or reads its body. After a failure
// that is not known.
func (x *exchange) isShared() bool {
	x.ctx.mu.Lock()
	asked := x.ctx.done != nil || x.ctx.hooks != nil
	x.ctx.mu.Unlock()
	if asked || x.res.hijacked || x.res.fullDuplex || x.res.failed != nil {
		return true
	}
	if !x.hasBody() {
		return false
	}
	if !x.body.ended.Load() || !x.body.mu.TryLock() {
		return true
	}
	x.body.mu.Unlock()
	return false
}

// empty empties the memory, and drops what is too large.
func (x *exchange) empty() {
	m, w := &x.memory, &x.res
	if len(m.text) > textMax {
		m.text = ""
	}
	if m.many { // a map stays as large as it was, even if the handler has deleted what was in it
		m.fields = nil
	}
	clear(m.values)
	m.fields, w.spare = emptied(m.fields), emptied(w.header)
	if m.hook != nil {
		m.hook.used = false
	}
}

func emptied(h http.Header) http.Header {
	if len(h) > fieldsMax {
		return nil
	}
	clear(h)
	return h
}

// reset makes an exchange like a new one, but keeps its memory.
func (x *exchange) reset() {
	m, spare, b := x.memory, x.res.spare, x.body
	*x = exchange{}
	x.memory, x.res.spare, x.body = m, spare, b
	if b != nil {
		*b = body{}
	}
}

// end puts an exchange into the state that code which has kept one sees after the end of one that is not reused.
func (x *exchange) end() {
	x.res.x, x.res.done, x.res.status = x, true, http.StatusOK
	x.ctx.Context, x.ctx.err = context.Background(), context.Canceled
	if x.body != nil {
		x.body.closed.Store(true)
	}
}
