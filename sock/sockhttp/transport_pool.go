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
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
	"ringo/sock/socktls"
)

// clientConn is a connection of a Transport. One request at a time uses it, or many by HTTP/2.
type clientConn struct {
	pool     *pool
	key      hostKey
	c        net.Conn
	own      *sock.Conn           // below it; nil: it is of another kind
	tls      *tls.ConnectionState // nil: there is no TLS
	two      *client2             // nil: it speaks HTTP/1
	single   bool                 // nobody shares it
	br       *bufio.Reader        // nil while it is idle
	left     int64                // bytes that a head may still have
	absolute bool                 // targets are whole URLs: it goes to a proxy
	reused   bool
	wrote    bool // something of the request
	eof      bool // the peer has ended
	limited  bool // it has a place among limits
	gone     atomic.Bool
	news     func() // tells of what comes while it is idle

	// Of idle ones, guarded by the pool's mu:
	idle       bool
	since      time.Time
	prev, next *clientConn // by age, in a ring
}

// readers are those of connections at work. They have the size of net/http's.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

// Read reads from the connection, of a head no more than it may have.
func (c *clientConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeadLimit
	}
	n, err := c.c.Read(p[:min(int64(len(p)), c.left)])
	if err == io.EOF {
		c.eof = true
	}
	c.left -= int64(n)
	return n, err
}

var errHeadLimit = errors.New("sockhttp: the head of the answer is too long")

// close ends the connection, and does not wait for that. Any caller.
func (c *clientConn) close() {
	if c.gone.Swap(true) {
		return
	}
	if c.two != nil {
		c.two.kill()
		c.pool.forget(c)
	}
	if own, ok := c.c.(*sock.Conn); ok {
		own.CloseSoon()
	} else {
		c.pool.l.Go(func() { c.c.Close() })
	}
	c.leave()
}

// leave gives the connection's place to others.
func (c *clientConn) leave() {
	if c.limited {
		c.pool.t.limits.release(c.key)
	}
}

// pool is the connections of a loop.
type pool struct {
	t *Transport
	l *ringo.Loop

	mu    sync.Mutex                // held for moments, and before that of a connection
	idle  map[hostKey][]*clientConn // of HTTP/1
	two   map[hostKey][]*clientConn // all that are shared, of HTTP/2
	ages  clientConn                // the ring's head: next is the oldest
	count int
	timer bool // of IdleConnTimeout runs

	// Those of tasks of the loop:
	dials map[hostKey]*dialing
	ones  map[hostKey]bool // servers that have chosen HTTP/1, as far as is remembered
}

// poolOf is the pool of a loop.
func (t *Transport) poolOf(l *loop.Loop) *pool {
	if p := t.pools.of(l); p != nil {
		return p
	}
	p := &pool{t: t, l: (*ringo.Loop)(l), idle: make(map[hostKey][]*clientConn),
		two: make(map[hostKey][]*clientConn), dials: make(map[hostKey]*dialing), ones: make(map[hostKey]bool)}
	p.ages.prev, p.ages.next = &p.ages, &p.ages
	return t.pools.begin(l, p, (*pool).closeIdle) // those of loops that have ended have places
}

// get gives a request a connection: an idle one, or a new one.
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
			info.IdleTime = p.l.Now().Sub(since)
		}
		x.trace.GotConn(info)
	}
	if c.two != nil {
		c.reused = true
	}
	return nil
}

// find gives a connection that is there: of HTTP/2 one with room for a request, or else an idle one. since is for how
// long it was idle, if it was.
func (p *pool) find(x *call) (c *clientConn, since time.Time, was bool) {
	if c, since, was = p.join(x.to.key); c == nil {
		c, since = p.take(x.to.key)
		was = c != nil
	}
	if d := p.t.IdleConnTimeout; was && d > 0 && p.l.Now().Sub(since) >= d { // the timer is about to close it
		c.close()
		return nil, since, false
	}
	return c, since, was
}

// make makes a connection, or waits until there may be one.
func (p *pool) make(x *call) (c *clientConn, was bool, err error) {
	limited := false
	if p.t.MaxConnsPerHost > 0 {
		if c, err = p.t.limits.acquire(p, x.to.key); c != nil || err != nil {
			return c, true, err
		}
		limited = true
		defer func() {
			if c == nil { // also if DialContext, or who traces, panics
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

// take gives the connection that is idle for the shortest, if there is one, and since when it is. Any caller.
func (p *pool) take(key hostKey) (c *clientConn, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[key]
	if len(list) == 0 {
		return nil, since
	}
	c = list[len(list)-1]
	p.remove(c)
	return c, c.since
}

// remove takes a connection out. The caller holds mu.
func (p *pool) remove(c *clientConn) {
	if c.two != nil {
		p.removeShared(c)
		return
	}
	list := p.idle[c.key]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == c {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if p.idle[c.key] = list; len(list) == 0 && (cap(list) > idleKept || len(p.idle) > hostsKept) {
		delete(p.idle, c.key)
	}
	p.unlink(c)
}

// link adds a connection to those that are idle, of which the oldest may have to go. The caller holds mu.
func (p *pool) link(c *clientConn, since time.Time) {
	t := p.t
	c.idle, c.since = true, since
	c.prev, c.next = p.ages.prev, &p.ages
	c.prev.next, c.next.prev = c, c
	if p.count++; t.MaxIdleConns > 0 && p.count > t.MaxIdleConns {
		oldest := p.ages.next
		p.remove(oldest)
		p.l.Go(oldest.close) // without the locks
	}
	if d := t.IdleConnTimeout; d > 0 && !p.timer {
		p.timer = true
		p.l.AfterFunc(d, p.expire)
	}
}

// unlink takes it out of them.
func (p *pool) unlink(c *clientConn) {
	c.idle, c.prev.next, c.next.prev = false, c.next, c.prev
	c.prev, c.next = nil, nil
	p.count--
}

// The reasons why a connection is not kept, as httptrace's PutIdleConn hears of them.
var (
	errNoKeepAlive = errors.New("http: putIdleConn: keep alives disabled")
	errBroken      = errors.New("http: putIdleConn: connection is in bad state")
	errIdleHost    = errors.New("http: putIdleConn: too many idle connections for host")
)

// idlePerHost is how many idle connections to a host are kept; below 0: none.
func (t *Transport) idlePerHost() int {
	if t.MaxIdleConnsPerHost == 0 {
		return http.DefaultMaxIdleConnsPerHost
	}
	return t.MaxIdleConnsPerHost
}

// put keeps a connection for the next request; the error is why not. For tasks of the loop.
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle[c.key]) >= most {
		return errIdleHost
	}
	p.idle[c.key] = append(p.idle[c.key], c)
	p.link(c, p.l.Now())
	return nil
}

// idleKept is how long the list of a host may be that is kept while it is empty, and hostsKept how many there may be of
// which some are.
const (
	idleKept  = 16
	hostsKept = 256
)

// rest has the loop tell what comes while the connection is idle; false: something has come.
func (c *clientConn) rest() bool {
	if c.eof || c.gone.Load() || c.br.Buffered() > 0 {
		return false
	}
	if c.own == nil {
		return true
	}
	if c.news == nil {
		c.news = c.stale
	}
	return handle.Sockets.Rest(c.own, c.news)
}

// stale is told, by the loop's thread, that something has come. An idle connection is of no use then.
func (c *clientConn) stale() {
	p := c.pool
	p.mu.Lock()
	drop := c.idle && !handle.Sockets.Rest(c.own, c.news)
	if drop {
		p.remove(c)
	}
	p.mu.Unlock()
	if drop {
		c.close()
	}
}

// expire closes those that were idle for too long.
func (p *pool) expire() {
	var old []*clientConn
	p.mu.Lock()
	p.timer = false
	for c := p.ages.next; c != &p.ages; c = p.ages.next {
		if wait := p.t.IdleConnTimeout - p.l.Now().Sub(c.since); wait > 0 {
			p.timer = true
			p.l.AfterFunc(wait, p.expire)
			break
		}
		p.remove(c)
		old = append(old, c)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// closeIdle closes all. Any caller.
func (p *pool) closeIdle() {
	var all []*clientConn
	p.mu.Lock()
	for c := p.ages.next; c != &p.ages; c = p.ages.next {
		p.remove(c)
		all = append(all, c)
	}
	clear(p.idle)
	all = p.retire(all)
	p.mu.Unlock()
	for _, c := range all {
		c.close()
	}
}

// limits are the places of MaxConnsPerHost. mu is held for moments, and before that of a pool.
type limits struct {
	mu    sync.Mutex
	hosts map[hostKey]*limit
}

type limit struct {
	count int // of places that are taken
	queue []*waiter
}

// waiter is a request that waits for a place.
type waiter struct {
	p   *pool
	got *ringo.Chan[*clientConn] // an idle connection; nil: a place
}

// acquire waits for a place, or for an idle connection of the pool.
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
	p.t.pools.each(func(_ *loop.Loop, other *pool) bool { // an idle one gives its place to who has waited longest
		c, _ := other.take(key)
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
	if c, _ := w.got.TryRecv(); c != nil { // it came too late
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

// hand gives a connection to a request of its loop that waits for one. If one of another loop waits for longer, the
// connection is to be closed. The caller holds mu.
func (s *limits) hand(p *pool, c *clientConn) (given, closed bool) {
	h := s.hosts[c.key]
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

// ownConn is what sock has made below a connection; nil if that is of another kind.
func ownConn(c net.Conn) *sock.Conn {
	for {
		switch t := c.(type) {
		case *sock.Conn:
			return t
		case *socktls.Conn:
			c = t.NetConn()
		default:
			return nil
		}
	}
}

// usable is why a task can't use a connection that a DialContext has made; nil if it can, as far as is known.
func usable(c net.Conn) error {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn, *tls.Conn:
		return fmt.Errorf("sockhttp: DialContext has returned a %T to a task, whose loop it would stop; "+
			"use sock.Dialer.Func", c)
	}
	return nil
}
