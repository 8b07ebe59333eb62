// Package atrest keeps clients' connections that wait for their next use, for each loop its own.
package atrest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
)

// Pool is a loop's connections at rest, by key. C is what the Pool's user keeps for each.
type Pool[K comparable, C any] struct {
	l       *ringo.Loop
	most    int
	timeout time.Duration
	close   func(C)

	mu    sync.Mutex // held only for moments
	byKey map[K][]*Conn[K, C]
	ages  Conn[K, C] // the head of the ring: next is the oldest
	count int
	timer bool // a timer for timeout is running
}

// Conn is a connection as its Pool knows it.
type Conn[K comparable, C any] struct {
	Of  C
	Key K
	// Own is the socket that reports input while the connection is at rest: such input makes it useless. nil: there is
	// none.
	Own *sock.Conn
	// Greets says that input does not make it useless: the server may speak first, and the connection was never used.
	Greets bool

	news func()
	out  atomic.Bool // the Pool has given it up

	// Guarded by the Pool's mu:
	listed     bool // it is in byKey
	since      time.Time
	prev, next *Conn[K, C] // by age, in a ring; nil: it is not at rest
}

// New makes a Pool that keeps at most most connections at rest, each for no longer than timeout; 0 means no limit. It
// ends those that it gives up by close, which any caller may call, without a lock held.
func New[K comparable, C any](l *ringo.Loop, most int, timeout time.Duration, close func(C)) *Pool[K, C] {
	p := &Pool[K, C]{l: l, most: most, timeout: timeout, close: close, byKey: make(map[K][]*Conn[K, C])}
	p.ages.prev, p.ages.next = &p.ages, &p.ages
	return p
}

// Take returns the connection that has been at rest for the shortest time, and since when. G.
func (p *Pool[K, C]) Take(key K) (c C, since time.Time, ok bool) {
	p.mu.Lock()
	list := p.byKey[key]
	if len(list) == 0 {
		p.mu.Unlock()
		return c, since, false
	}
	x := list[len(list)-1]
	since = x.since
	p.remove(x)
	p.mu.Unlock()
	return x.Of, since, true
}

// Now returns the time by the Pool's clock. G.
func (p *Pool[K, C]) Now() time.Time { return (*loop.Loop)(p.l).Clock() }

// Out reports whether the Pool has given the connection up, and closes it soon. G.
func (x *Conn[K, C]) Out() bool { return x.out.Load() }

// Late reports whether a connection that has been at rest since then was there for too long, so that the timer is about
// to close it. G.
func (p *Pool[K, C]) Late(since time.Time) bool {
	return p.timeout > 0 && p.Now().Sub(since) >= p.timeout
}

// Put keeps a connection for its next use. It returns false if the key has most connections already. T.
func (p *Pool[K, C]) Put(x *Conn[K, C], most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.byKey[x.Key]) >= most {
		return false
	}
	p.byKey[x.Key] = append(p.byKey[x.Key], x)
	x.listed = true
	p.link(x, p.Now())
	return true
}

// Link puts a connection at rest, since then, that Take does not return. T.
func (p *Pool[K, C]) Link(x *Conn[K, C], since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link(x, since)
}

// Unlink puts a connection to work, and returns since when it was at rest. G.
func (p *Pool[K, C]) Unlink(x *Conn[K, C]) (since time.Time, was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.next == nil {
		return since, false
	}
	since = x.since
	p.remove(x)
	return since, true
}

// Rests reports whether a connection is at rest. G.
func (p *Pool[K, C]) Rests(x *Conn[K, C]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return x.next != nil
}

// Count returns how many connections are at rest for a key. G.
func (p *Pool[K, C]) Count(key K) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byKey[key])
}

// keptFor is the longest list of a key that is kept while it is empty, and keysKept how many keys there may be with
// such lists among them.
const (
	keptFor  = 16
	keysKept = 256
)

// remove removes a connection. The caller holds mu.
func (p *Pool[K, C]) remove(x *Conn[K, C]) {
	if x.listed {
		list := p.byKey[x.Key]
		for i := len(list) - 1; i >= 0; i-- {
			if list[i] == x {
				list = append(list[:i], list[i+1:]...)
				break
			}
		}
		if p.byKey[x.Key] = list; len(list) == 0 && (cap(list) > keptFor || len(p.byKey) > keysKept) {
			delete(p.byKey, x.Key)
		}
	}
	x.listed, x.prev.next, x.next.prev = false, x.next, x.prev
	x.prev, x.next = nil, nil
	p.count--
}

// giveUp removes a connection that is to be closed. The caller holds mu.
func (p *Pool[K, C]) giveUp(x *Conn[K, C]) C {
	p.remove(x)
	x.out.Store(true)
	return x.Of
}

// link adds a connection to those at rest; the oldest may have to go. The caller holds mu.
func (p *Pool[K, C]) link(x *Conn[K, C], since time.Time) {
	x.since = since
	x.prev, x.next = p.ages.prev, &p.ages
	x.prev.next, x.next.prev = x, x
	if p.count++; p.most > 0 && p.count > p.most {
		oldest := p.giveUp(p.ages.next)
		p.l.Go(func() { p.close(oldest) }) // without the lock
	}
	if p.timeout > 0 && !p.timer {
		p.timer = true
		p.l.AfterFunc(p.timeout, p.expire)
	}
}

// Watch makes the loop report input of a connection that is at rest. It returns false if something has come already,
// which makes the connection useless. T.
func (p *Pool[K, C]) Watch(x *Conn[K, C]) bool {
	if x.Own == nil {
		return true
	}
	if x.news == nil {
		x.news = func() { p.stale(x) }
	}
	return handle.Sockets.Rest(x.Own, x.news) || x.Greets && x.Own.Buffered() > 0 && x.Open()
}

// Open reports, by a system call, whether the server has not ended the connection: unread input of the server would
// hide its end from the poll. For Unix sockets it returns true, since it is not known. T.
func (x *Conn[K, C]) Open() bool {
	info, err := x.Own.TCPInfo()
	return err != nil || info.State == sock.TCPEstablished
}

// Pends reports whether a read of a connection, which peek makes, returns without waiting. TLS may have records in its
// own memory, of which the socket below knows nothing. A session of a protocol reports itself what it has read and not
// used. T, does not park.
func Pends(l *ringo.Loop, c net.Conn, peek func() error) bool {
	if _, plain := c.(*sock.Conn); plain {
		return false
	}
	if session, ok := c.(interface{ Buffered() int }); ok {
		return session.Buffered() > 0
	}
	err := l.WithTimeout(0, peek)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// stale is called on the loop's thread when something has come.
func (p *Pool[K, C]) stale(x *Conn[K, C]) {
	p.mu.Lock()
	drop := x.next != nil && !p.Watch(x)
	if drop {
		p.giveUp(x)
	}
	p.mu.Unlock()
	if drop {
		p.close(x.Of)
	}
}

// expire closes the connections that were at rest for too long.
func (p *Pool[K, C]) expire() {
	var old []C
	p.mu.Lock()
	p.timer = false
	for x := p.ages.next; x != &p.ages; x = p.ages.next {
		if wait := p.timeout - p.Now().Sub(x.since); wait > 0 {
			p.timer = true
			p.l.AfterFunc(wait, p.expire)
			break
		}
		old = append(old, p.giveUp(x))
	}
	p.mu.Unlock()
	for _, c := range old {
		p.close(c)
	}
}

// TakeAll removes and returns all connections. G.
func (p *Pool[K, C]) TakeAll() (all []C) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.count > 0 {
		all = append(all, p.giveUp(p.ages.next))
	}
	clear(p.byKey)
	return all
}

// Own returns the *sock.Conn below a connection, nil if it is of another kind.
func Own(c net.Conn) *sock.Conn {
	for {
		switch t := c.(type) {
		case *sock.Conn:
			return t
		case interface{ NetConn() net.Conn }: // as TLS's connections have
			c = t.NetConn()
		default:
			return nil
		}
	}
}

// Peer returns the address that a connection leads to, as far as it is known.
func Peer(own *sock.Conn) netip.AddrPort {
	if own == nil {
		return netip.AddrPort{}
	}
	return handle.Sockets.Peer(own)
}

// Close closes a connection without waiting for the end. G.
func Close(l *loop.Loop, c net.Conn) {
	if own, ok := c.(*sock.Conn); ok {
		own.CloseSoon()
		return
	}
	(*ringo.Loop)(l).Go(func() { c.Close() })
}
