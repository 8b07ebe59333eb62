package sockhttp

import (
	"net/http"
	"net/url"
	"sync"
)

// exchange is a request and its answer. It is made anew for each: nobody can tell what a handler keeps of it.
type exchange struct {
	conn    *conn
	c       stream
	made    http.Request // as the server has made it, whatever the handler makes of it
	url     url.URL
	ctx     requestContext
	body    body
	res     response
	head    head
	watcher *watcher
}

// scratch is memory for what is read or written between a handler and the connection.
var scratch = sync.Pool{New: func() any {
	p := make([]byte, 0, scratchSize)
	return &p
}}

const scratchSize = 8192

// take gives some of it, empty.
func take() *[]byte {
	p := scratch.Get().(*[]byte)
	*p = (*p)[:0]
	return p
}

// give takes it back, unless it has grown: a large head is no reason to keep as much for ever.
func give(p *[]byte) {
	if cap(*p) == scratchSize {
		scratch.Put(p)
	}
}

// newExchange makes the exchange of a whole head.
func (c *conn) newExchange(text string) (*exchange, error) {
	x := &exchange{conn: c, c: c.c}
	x.ctx.Context, x.ctx.x = (*connContext)(c), x
	x.made = *blank.WithContext(&x.ctx) // a copy, so that it is none on the heap
	r := &x.made
	r.URL = &x.url
	x.res.x, x.res.length = x, -1
	var err error
	if x.head, err = parseHead(text, r); err != nil {
		return x, err
	}
	r.Body = http.NoBody
	if n := x.head.length; n != 0 {
		x.body.x, x.body.chunked, x.body.left = x, n < 0, max(n, 0)
		r.Body = &x.body
	}
	r.RemoteAddr, r.TLS = c.remote, c.tls
	if r.ProtoMajor == 2 { // a preface of HTTP/2, which a handler may take over
		r.ContentLength, r.Close = -1, true
	}
	return x, nil
}

// hasBody reports whether the request has one.
func (x *exchange) hasBody() bool { return x.body.x != nil }

// bodyRead reports whether what the peer sends from here on is none of the request's.
func (x *exchange) bodyRead() bool { return !x.hasBody() || x.body.ended.Load() }
