package sockhttp

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/loop"
)

// clientConn is a Transport's connection. One request at a time uses it, or many by HTTP/2.
type clientConn struct {
	at       atrest.Conn[hostKey, *clientConn]
	pool     *pool
	c        net.Conn
	tls      *tls.ConnectionState // nil: without TLS
	two      *client2             // nil: it speaks HTTP/1
	single   bool                 // it is not shared
	br       *bufio.Reader        // nil while it is idle
	left     int64                // bytes that a head may still have
	head     []byte               // Read appends to it; nil: it does not
	absolute bool                 // to a proxy that gets whole URLs
	reused   bool
	wrote    bool // some of the request was written
	eof      bool // the peer has ended
	limited  bool // it has a place in limits
	gone     atomic.Bool
}

// readers are for connections that are in use. They have the size of net/http's.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

// Read reads from the connection, and of a head no more bytes than it may have.
func (c *clientConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeadLimit
	}
	n, err := c.c.Read(p[:min(int64(len(p)), c.left)])
	if err == io.EOF {
		c.eof = true
	}
	c.left -= int64(n)
	if c.head != nil {
		c.head = append(c.head, p[:n]...)
	}
	return n, err
}

var errHeadLimit = errors.New("sockhttp: the head of the answer is too long")

// close ends the connection without waiting. Any caller.
func (c *clientConn) close() {
	if c.gone.Swap(true) {
		return
	}
	if c.two != nil {
		c.two.kill()
		c.pool.forget(c)
	}
	atrest.Close((*loop.Loop)(c.pool.l), c.c)
	c.leave()
}

// leave gives the connection's place back.
func (c *clientConn) leave() {
	if c.limited {
		c.pool.t.limits.release(c.at.Key)
	}
}

// pool is a loop's connections.
type pool struct {
	t    *Transport
	l    *ringo.Loop
	idle *atrest.Pool[hostKey, *clientConn]

	mu  sync.Mutex                // held only for moments; locked before those of a connection and of idle
	two map[hostKey][]*clientConn // the shared HTTP/2 connections

	// For tasks of the loop:
	dials map[hostKey]*dialing
	ones  map[hostKey]bool // servers that have chosen HTTP/1
}

// poolOf returns the pool of a loop.
func (t *Transport) poolOf(l *loop.Loop) *pool {
	if p := t.pools.Of(l); p != nil {
		return p
	}
	p := &pool{t: t, l: (*ringo.Loop)(l), two: make(map[hostKey][]*clientConn),
		dials: make(map[hostKey]*dialing), ones: make(map[hostKey]bool)}
	p.idle = atrest.New[hostKey](p.l, t.MaxIdleConns, t.IdleConnTimeout, (*clientConn).close)
	return t.pools.Begin(l, p, (*pool).closeIdle) // connections of ended loops would keep their places
}

// get finds or makes a connection for a request.
func (p *pool) get(x *call) (err error) {
	if x.trace != nil && x.trace.GetConn != nil {
		_, addr := x.to.first()
		x.trace.GetConn(addr)
	}
	c, since, was := p.find(x)
	if c == nil {
		if c, since, was, err = p.connectFor(x); err != nil {
			return err
		}
	}
	x.c, x.held = c, true
	if c.two == nil {
		c.br, c.wrote = readers.Get().(*bufio.Reader), false
		c.br.Reset(c)
	}
	if x.trace != nil && x.trace.GotConn != nil {
		info := httptrace.GotConnInfo{Conn: c.c, Reused: c.reused, WasIdle: was}
		if was && !since.IsZero() {
			info.IdleTime = p.idle.Now().Sub(since)
		}
		x.trace.GotConn(info)
	}
	if c.two != nil {
		c.reused = true
	}
	return nil
}

// find returns an existing connection: an HTTP/2 connection with room for a request, or else an idle one. was says that
// it was idle, since that time.
func (p *pool) find(x *call) (c *clientConn, since time.Time, was bool) {
	if c, since, was = p.join(x.to.key); c == nil {
		c, since, was = p.idle.Take(x.to.key)
	}
	if was && p.idle.Late(since) {
		c.close()
		return nil, since, false
	}
	return c, since, was
}

// make makes a connection, after waiting for a place if there is a limit.
func (p *pool) make(x *call) (c *clientConn, was bool, err error) {
	limited := false
	if p.t.MaxConnsPerHost > 0 {
		if c, err = p.t.limits.acquire(p, x.to.key); c != nil || err != nil {
			return c, true, err
		}
		limited = true
		defer func() {
			if c == nil { // even if DialContext or a hook panics
				p.t.limits.release(x.to.key)
			}
		}()
	}
	if c, err = p.dial(x); err != nil {
		return nil, false, err
	}
	if c.limited = limited; c.two != nil && !c.single {
		p.add(c)
	}
	return c, false, nil
}

// Why a connection is not kept, for httptrace's PutIdleConn.
var (
	errNoKeepAlive = errors.New("http: putIdleConn: keep alives disabled")
	errBroken      = errors.New("http: putIdleConn: connection is in bad state")
	errIdleHost    = errors.New("http: putIdleConn: too many idle connections for host")
)

// idlePerHost returns how many idle connections to a host are kept; a negative number means none.
func (t *Transport) idlePerHost() int {
	if t.MaxIdleConnsPerHost == 0 {
		return http.DefaultMaxIdleConnsPerHost
	}
	return t.MaxIdleConnsPerHost
}

// put keeps a connection for the next request, or returns why it does not. For tasks of the loop.
func (p *pool) put(c *clientConn) error {
	t := p.t
	most := t.idlePerHost()
	if t.DisableKeepAlives || most < 0 {
		return errNoKeepAlive
	}
	if !c.rest() {
		return errBroken
	}
	c.reused = true
	c.br.Reset(nil)
	readers.Put(c.br)
	c.br = nil
	if t.MaxConnsPerHost > 0 {
		t.limits.mu.Lock()
		defer t.limits.mu.Unlock()
		if given, closed := t.limits.hand(p, c); given {
			return nil
		} else if closed {
			return errIdleHost
		}
	}
	if !p.idle.Put(&c.at, most) {
		return errIdleHost
	}
	return nil
}

// rest makes the loop report input while the connection is idle. It returns false if something has come already.
func (c *clientConn) rest() bool {
	return !c.eof && !c.gone.Load() && c.br.Buffered() == 0 && !c.pends() && c.pool.idle.Watch(&c.at)
}

// pends reports whether TLS has unexpected input.
func (c *clientConn) pends() bool {
	return c.tls != nil && atrest.Pends(c.pool.l, c.c, func() error {
		_, err := c.c.Read(make([]byte, 1))
		return err
	})
}

// closeIdle closes all idle connections. Any caller.
func (p *pool) closeIdle() {
	p.mu.Lock()
	all := append(p.retire(), p.idle.TakeAll()...)
	p.mu.Unlock()
	for _, c := range all {
		c.close()
	}
}

// limits are the places of MaxConnsPerHost. mu is held only for moments, and locked before that of a pool.
type limits struct {
	mu    sync.Mutex
	hosts map[hostKey]*limit
}

type limit struct {
	count int // places that are taken
	queue []*waiter
}

// waiter is a request that waits for a place.
type waiter struct {
	p   *pool
	got *ringo.Chan[*clientConn] // an idle connection; nil: a place
}

// acquire waits for a place (and returns nil), or for an idle connection of the pool.
func (s *limits) acquire(p *pool, key hostKey) (*clientConn, error) {
	s.mu.Lock()
	if s.hosts == nil {
		s.hosts = make(map[hostKey]*limit)
	}
	h := s.hosts[key]
	if h == nil {
		h = new(limit)
		s.hosts[key] = h
	}
	if h.count < p.t.MaxConnsPerHost {
		h.count++
		s.mu.Unlock()
		return nil, nil
	}
	w := &waiter{p, ringo.NewChan[*clientConn](1)}
	h.queue = append(h.queue, w)
	s.mu.Unlock()
	p.t.pools.Each(func(_ *loop.Loop, other *pool) bool { // an idle connection gives its place to the longest waiter
		c, _, _ := other.idle.Take(key)
		if c == nil {
			c = other.takeShared(key)
		}
		if c != nil {
			c.close()
		}
		return c == nil
	})
	c, err := w.got.Recv()
	if err == nil {
		return c, nil
	}
	s.mu.Lock()
	for i, other := range h.queue {
		if other == w {
			h.queue = append(h.queue[:i], h.queue[i+1:]...)
			s.mu.Unlock()
			return nil, err
		}
	}
	s.mu.Unlock()
	if c, _ := w.got.TryRecv(); c != nil { // it has come too late
		if c.two != nil {
			c.two.release()
		} else {
			c.close()
		}
	} else {
		s.release(key)
	}
	return nil, err
}

// release gives a place back. Any caller.
func (s *limits) release(key hostKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[key]
	if len(h.queue) > 0 {
		w := h.queue[0]
		h.queue = h.queue[1:]
		w.got.TrySend(nil)
		return
	}
	if h.count--; h.count == 0 {
		delete(s.hosts, key)
	}
}

// hand gives a connection to a request of its loop that waits for one. closed means that a request of another loop has
// waited longest, so that the connection has to be closed. The caller holds mu.
func (s *limits) hand(p *pool, c *clientConn) (given, closed bool) {
	h := s.hosts[c.at.Key]
	if h == nil || len(h.queue) == 0 {
		return false, false
	}
	w := h.queue[0]
	if w.p != p {
		return false, true
	}
	h.queue = h.queue[1:]
	w.got.TrySend(c)
	return true, false
}

// usable returns why a task can't use a connection of DialContext, nil if it can, as far as is known.
func usable(c net.Conn) error {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn, *tls.Conn:
		return fmt.Errorf("sockhttp: DialContext has returned a %T to a task, whose loop it would stop; "+
			"use sock.Dialer.Func", c)
	}
	return nil
}
