package sockhttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"ringo/internal/handle"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/sock"
)

// conn is a server's connection. Between two requests this and the sock.Conn are all its memory.
type conn struct {
	*origin
	c      stream
	own    *sock.Conn         // if sock.Serve starts a task for its input; nil: a task or goroutine serves it for life
	ctx    context.Context    // of the program, the parent of connContext
	cancel context.CancelFunc // nil: not needed
	tls    *tls.ConnectionState
	remote string

	scanned int  // how much of an incomplete head was scanned
	seen    int  // how many bytes were there at the last look
	lined   bool // its first line is valid
	post    bool
	begun   bool          // there was a request
	limited bool          // the deadline for a head is set
	active  bool          // ConnState was called with StateActive
	left    bool          // a handler has taken it over
	broken  bool          // the server's ConnState has panicked
	state   atomic.Int32  // http.ConnState; other goroutines load it
	timed   atomic.Uint32 // which deadlines are set, see timedReads; handlers may set some, too
	born    time.Duration // since the origin's born
	two     *server2      // if it speaks HTTP/2; under the server's mu
}

// blank is the request that new ones are copied from.
var blank http.Request

// errDone ends a connection that has had its last answer.
var errDone = errors.New("sockhttp: the connection has had its last answer")

// newConn begins to serve a connection; st has its bytes.
func (o *origin) newConn(nc net.Conn, st stream) *conn {
	c := &conn{origin: o, ctx: o.base, c: st}
	c.born = o.clock().Sub(o.born)
	if o.s.ConnContext != nil {
		elsewhere(lane.Handlers, func() { c.ctx = o.s.ConnContext(o.base, nc) })
		if c.ctx == nil {
			panic("sockhttp: ConnContext returned nil")
		}
	}
	c.tell(nc, http.StateNew)
	return c
}

// connContext is a connection as the parent context of its requests. It looks up the local address only on request,
// since the address would take memory for the connection's whole life.
type connContext conn

func (c *connContext) Deadline() (time.Time, bool) { return c.ctx.Deadline() }
func (c *connContext) Done() <-chan struct{}       { return c.ctx.Done() }
func (c *connContext) Err() error                  { return c.ctx.Err() }

func (c *connContext) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return (*conn)(c).net().LocalAddr()
	}
	return c.ctx.Value(key)
}

// tell calls the server's ConnState.
func (c *conn) tell(nc net.Conn, state http.ConnState) {
	c.state.Store(int32(state))
	if c.s.ConnState != nil {
		elsewhere(lane.Handlers, func() {
			c.broken = true
			defer c.logPanic()
			c.s.ConnState(nc, state)
			c.broken = false
		})
	}
}

// elsewhere runs a function that may wait for anything: on a goroutine if the caller is a task, even a cancelled one.
// It returns false, without running fn, if the loop ends.
func elsewhere(in lane.Lane, fn func()) (ran bool) {
	l, _ := loop.Current()
	if l == nil {
		fn()
		return true
	}
	l.Shield()
	defer l.Unshield()
	l.OffloadIn(in, func(context.Context) error {
		ran = true
		fn()
		return nil
	})
	return ran
}

// answer answers the requests that have arrived whole. errDone ends the connection.
func (c *conn) answer() error {
	c.learnRemote()
	for {
		x, err := c.next()
		if err != nil {
			return c.refuse(x, err)
		}
		if x == nil {
			return nil
		}
		if !c.handle(x) {
			return errDone
		}
	}
}

// learnRemote gets the peer's address, once: it has a cost, and may wait.
func (c *conn) learnRemote() {
	if c.remote == "" {
		if c.own != nil {
			if at := handle.Sockets.Peer(c.own); at.IsValid() {
				c.remote = at.String()
				return
			}
		}
		if at := c.net().RemoteAddr(); at != nil {
			c.remote = at.String()
		}
	}
}

// next returns the next request, nil if it has not arrived yet.
func (c *conn) next() (*exchange, error) {
	if c.post { // old clients send one line end too many after a POST
		c.skipLineEnds()
	}
	n := c.c.Buffered()
	if n == 0 {
		return nil, nil
	}
	p, err := c.c.Peek(n)
	if err != nil {
		return nil, err
	}
	if !c.begun { // with a request
		switch c.begins(p) {
		case ofHTTP2:
			return nil, c.speakHTTP2()
		case notKnown:
			return nil, c.await(n)
		case ofNobody:
			return nil, errDone
		}
	}
	end, scanned := headEnd(p, c.scanned)
	if most := c.s.headMax(); end > most || end == 0 && n >= most {
		return nil, errTooLarge
	}
	if !c.active {
		c.active = true
		if c.tell(c.net(), http.StateActive); c.broken {
			return nil, errDone
		}
	}
	if end == 0 {
		if !c.lined && bytes.IndexByte(p[c.scanned:], '\n') >= 0 { // a peer that speaks otherwise may be waiting
			c.lined = true
			if line, _ := cutLine(string(p)); parseRequestLine(line, &http.Request{URL: new(url.URL)}) != nil {
				return nil, errBad
			}
		}
		c.scanned = scanned
		return nil, c.await(n)
	}
	x, err := c.newExchange(p[:end])
	c.c.Discard(end)
	c.scanned, c.seen, c.lined, c.begun = 0, 0, false, true
	c.beginRequest()
	c.post = x.made.Method == http.MethodPost
	return x, err
}

// skipLineEnds drops up to four bytes of line ends.
func (c *conn) skipLineEnds() {
	p, _ := c.c.Peek(min(4, c.c.Buffered()))
	n := 0
	for n < len(p) && (p[n] == '\r' || p[n] == '\n') {
		n++
	}
	c.c.Discard(n)
	c.post = n == 4 // else the next byte belongs to a request, or has not come
	if n == len(p) && n < 4 {
		c.post = true
	}
}

// await is called for a head of which n bytes are here. The error is that of an end within the head.
func (c *conn) await(n int) error {
	c.limitHead()
	if c.own == nil || n > c.seen { // its task waits for more, or sock.Serve will report what else has come
		c.seen = n
		return nil
	}
	_, err := c.c.Peek(n + 1)
	return err
}

// receive reads. Bytes that are here have come in time, however late they are read.
func (c *conn) receive(p []byte) (n int, err error) {
	n, err = c.c.Read(p)
	if n > 0 || err == nil || c.c.Buffered() == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	here, err := c.c.Peek(min(len(p), c.c.Buffered()))
	n = copy(p, here)
	c.c.Discard(n)
	return n, err
}

// net returns the connection as the program knows it.
func (c *conn) net() net.Conn {
	if b, ok := c.c.(*buffered); ok {
		return b.Conn
	}
	return c.c
}

// handle answers a request, and reports whether others may follow.
func (c *conn) handle(x *exchange) bool {
	whole, reuses := c.run(&x.res, &x.made)
	x.ctx.end(context.Canceled)
	if c.left {
		return false
	}
	c.unwatch(x)
	w := &x.res
	if !whole {
		if w.endsWithConn() {
			c.cut()
		}
		if w.status != 0 {
			c.answered(&x.made, w.status, w.written)
		}
		return false
	}
	w.finish()
	if errors.Is(w.failed, os.ErrDeadlineExceeded) {
		c.cut() // or what is unsent would be kept for a peer that takes nothing
	}
	c.answered(&x.made, w.status, w.written)
	if x.hasBody() {
		if w.fullDuplex && !w.close && !x.body.settle() {
			w.close = true
		}
		x.body.closed.Store(true)
	}
	more := !w.close && c.staysOn()
	if more {
		c.rest()
		more = c.staysOn() // once more: a goroutine that has forbidden it meanwhile may have found the connection busy
	}
	if !more {
		c.part(x, !x.bodyRead() || c.c.Buffered() > 0)
	}
	if reuses {
		c.giveBack(x)
	}
	return more
}

// answered calls the server's Answered.
func (c *conn) answered(r *http.Request, status int, size int64) {
	c.logs(c.s.Answered, r, status, size)
}

// refused calls the server's Refused for an answer that no handler has given. r is nil if there was no request.
func (c *conn) refused(r *http.Request, status int, size int64) {
	f := c.s.Refused
	if f == nil {
		f = c.s.Answered
	}
	c.logs(f, r, status, size)
}

func (c *conn) logs(f func(net.Conn, *http.Request, int, int64), r *http.Request, status int, size int64) {
	if f == nil {
		return
	}
	if r != nil && r.Method == http.MethodHead {
		size = 0
	}
	f(c.net(), r, status, size)
}

// run calls the program's handler where it is to run. It reports whether the handler has returned, and whether it keeps
// nothing.
func (c *conn) run(w http.ResponseWriter, r *http.Request) (returned, reuses bool) {
	h := c.s.handlerOf(r)
	if c.loop == nil {
		return c.call(h, w, r), false
	}
	h, at := route(h, r)
	if at == onGoroutine {
		return c.callElsewhere(h, w, r), false
	}
	return c.call(h, w, r), at == inTaskReusing
}

// callElsewhere is call on a goroutine. If that can't be started, the handler has not returned. When the task is
// cancelled, as when Grace is over, an HTTP/1 request is cut off, so that its handler's waits for the peer end as those
// of a task would.
func (c *conn) callElsewhere(h http.Handler, w http.ResponseWriter, r *http.Request) (returned bool) {
	serve := func(context.Context) error {
		returned = c.call(h, w, r)
		return nil
	}
	if res, ok := w.(*response); ok {
		(*loop.Loop)(c.loop).OffloadAs(loop.As{Over: res.x}, lane.Handlers, serve)
	} else {
		(*loop.Loop)(c.loop).OffloadIn(lane.Handlers, serve)
	}
	return returned
}

// call calls the handler. It returns false if the handler does not return.
func (c *conn) call(h http.Handler, w http.ResponseWriter, r *http.Request) (returned bool) {
	defer c.logPanic()
	h.ServeHTTP(w, r)
	return true
}

// logPanic recovers from a panic of the program's code, and logs it. It is to be deferred.
func (c *conn) logPanic() {
	if v := recover(); v != nil && v != http.ErrAbortHandler {
		c.logf("http: panic serving %v: %v\n%s", c.remote, v, debug.Stack())
	}
}

// cut resets the connection, and skips TLS's close_notify, so that the client can't take the answer for whole.
func (c *conn) cut() {
	nc := c.net()
	t, secure := nc.(interface{ NetConn() net.Conn })
	if secure {
		nc = t.NetConn()
	}
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0)
	}
	if secure {
		nc.Close()
	}
}

// part ends a connection after its last answer. If the peer is still sending, a reset would destroy the answer, so part
// reads for a while first. x is the exchange, if there was one.
func (c *conn) part(x *exchange, sends bool) {
	if !sends || !c.closesWrite() {
		return
	}
	c.c.SetReadDeadline(c.now().Add(partMax))
	if x != nil && x.hasBody() {
		x.body.leave() // another goroutine may be reading it
	}
	c.discard(partMax, partMax)
}

// partMax is how long part reads.
const partMax = 500 * time.Millisecond

// closesWrite shuts down the writing side, if that is possible.
func (c *conn) closesWrite() bool {
	w, ok := c.c.(interface{ CloseWrite() error })
	return ok && w.CloseWrite() == nil
}

// discard reads and drops input until the peer ends it, has been silent for that long, or the longest time is over.
func (c *conn) discard(silence, longest time.Duration) {
	trash := take()
	defer give(trash)
	for last := c.now().Add(longest); ; {
		until := c.now().Add(silence)
		if until.After(last) {
			until = last
		}
		c.c.SetReadDeadline(until)
		if _, err := c.c.Read((*trash)[:cap(*trash)]); err != nil {
			return
		}
	}
}

// refuse answers a malformed request, and ends the connection.
func (c *conn) refuse(x *exchange, err error) error {
	var bad *badRequest
	switch {
	case errors.As(err, &bad):
	case err == io.EOF: // within a head
		bad = errBad
	default:
		return err
	}
	const fields = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	status := fmt.Sprint(bad.code, " ", http.StatusText(bad.code))
	if bad == errExpectation {
		x.res.Header().Set("Connection", "close")
		x.res.WriteHeader(bad.code)
		x.res.finish()
		c.refused(&x.made, bad.code, 0)
	} else {
		line, body := status, status
		switch {
		case bad == errCoding:
			body = bad.text
		case bad.text != "":
			line += ": " + bad.text
			body = line
		}
		c.write([]byte("HTTP/1.1 "+line+fields+body), c.patience())
		c.refused(nil, bad.code, int64(len(body)))
	}
	c.part(x, true)
	return errDone
}

// keepsAlive reports whether connections wait for another request.
func (c *conn) keepsAlive() bool {
	return !c.broken && c.s.keepsAlive() && (c.loop == nil || !(*loop.Loop)(c.loop).Draining())
}

// staysOn is keepsAlive for a connection whose answer has promised to keep it. If a drain has begun since, origin.drain
// or conn.more handles it.
func (c *conn) staysOn() bool {
	return c.keepsAlive() || c.lasts() && c.s.keepsAlive() && !c.broken
}

func (s *Server) keepsAlive() bool { return !s.ending.Load() && !s.single.Load() }

// lasts reports whether a drain leaves the connection time for another request.
func (c *conn) lasts() bool {
	return c.loop != nil && c.s.Linger > 0 || c.own != nil && c.s.Drain != nil
}

// lingers is lasts for all connections of sock.Serve.
func (s *Server) lingers() bool { return s.Linger > 0 || s.Drain != nil }

// hijack gives the connection to a handler.
func (c *conn) hijack(x *exchange) (net.Conn, error) {
	c.unwatch(x) // it reads, and moves deadlines
	if c.own != nil {
		if err := handle.Sockets.Leave(c.own); err != nil {
			return nil, err
		}
	} else {
		c.s.keep(c, false)
		if c.loop != nil {
			c.tasks.Done()
		}
	}
	c.left = true
	c.c.SetDeadline(time.Time{})
	c.keepCutOff()
	c.tell(c.net(), http.StateHijacked)
	if b, ok := c.c.(*buffered); ok && b.Buffered() > 0 {
		b.keep()
		return b, nil // it returns what was received before
	}
	return c.net(), nil
}

// closed reports the connection's end to the program.
func (c *conn) closed() {
	if c.cancel != nil {
		c.cancel()
	}
	if !c.left {
		c.tell(c.net(), http.StateClosed)
	}
}

// logf writes to the server's log.
func (c *conn) logf(format string, args ...any) { c.s.logf(format, args...) }
