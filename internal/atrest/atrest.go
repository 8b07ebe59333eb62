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

// Pool is the connections of a loop that are at rest, by their keys. C is what its user has of each.
type Pool[K comparable, C any] struct {
	l       *ringo.Loop
	most    int
	timeout time.Duration
	close   func(C)

	mu    sync.Mutex // held for moments
	byKey map[K][]*Conn[K, C]
	ages  Conn[K, C] // the ring's head: next is the oldest
	count int
	timer bool // of timeout runs
}

// Conn is a connection as its Pool knows it.
type Conn[K comparable, C any] struct {
	Of  C
	Key K
	// Own is what tells of input while the connection is at rest: it is of no use then. nil: nobody does.
	Own *sock.Conn
	// Greets says that input is no end: the server may speak first, and nobody has used the connection yet.
	Greets bool

	news func()
	out  atomic.Bool // the Pool has given it up

	// Guarded by the Pool's mu:
	listed     bool // it is in byKey
	since      time.Time
	prev, next *Conn[K, C] // by age, in a ring; nil: it is not at rest
}

// New makes a Pool that has most connections at rest, and each for no longer than timeout; 0 is no limit. What it gives
// up it has close end, which any caller may call, and nobody with a lock.
func New[K comparable, C any](l *ringo.Loop, most int, timeout time.Duration, close func(C)) *Pool[K, C] {
	p := &Pool[K, C]{l: l, most: most, timeout: timeout, close: close, byKey: make(map[K][]*Conn[K, C])}
	p.ages.prev, p.ages.next = &p.ages, &p.ages
	return p
}

// Take gives the connection that is at rest for the shortest, and since when it is. G.
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

// Now is the time by which a Pool counts. G.
func (p *Pool[K, C]) Now() time.Time { return (*loop.Loop)(p.l).Clock() }

// Out reports whether the Pool has given the connection up: it is closed soon. G.
func (x *Conn[K, C]) Out() bool { return x.out.Load() }

// Late reports whether a connection that was at rest since then has been there for too long: the timer is about to
// close it. G.
func (p *Pool[K, C]) Late(since time.Time) bool {
	return p.timeout > 0 && p.Now().Sub(since) >= p.timeout
}

// Put keeps a connection for its next use; false if there are as many for its key. T.
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

// Link has a connection be at rest that Take does not give, since then. T.
func (p *Pool[K, C]) Link(x *Conn[K, C], since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link(x, since)
}

// Unlink has it be at work, and says since when it was at rest. G.
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

// Count is how many are at rest for a key. G.
func (p *Pool[K, C]) Count(key K) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byKey[key])
}

// keptFor is how long the list of a key may be that is kept while it is empty, and keysKept how many there may be of
// which some are.
const (
	keptFor  = 16
	keysKept = 256
)

// remove takes a connection out. The caller holds mu.
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

// giveUp is remove of one that is to be closed. The caller holds mu.
func (p *Pool[K, C]) giveUp(x *Conn[K, C]) C {
	p.remove(x)
	x.out.Store(true)
	return x.Of
}

// link adds a connection to those at rest, of which the oldest may have to go. The caller holds mu.
func (p *Pool[K, C]) link(x *Conn[K, C], since time.Time) {
	x.since = since
	x.prev, x.next = p.ages.prev, &p.ages
	x.prev.next, x.next.prev = x, x
	if p.count++; p.most > 0 && p.count > p.most {
		oldest := p.giveUp(p.ages.next)
		p.l.Go(func() { p.close(oldest) }) // without the locks
	}
	if p.timeout > 0 && !p.timer {
		p.timer = true
		p.l.AfterFunc(p.timeout, p.expire)
	}
}

// Watch has the loop tell what comes while the connection is at rest; false: something has come, and it is of no use.
// T.
func (p *Pool[K, C]) Watch(x *Conn[K, C]) bool {
	if x.Own == nil {
		return true
	}
	if x.news == nil {
		x.news = func() { p.stale(x) }
	}
	return handle.Sockets.Rest(x.Own, x.news) || x.Greets && x.Own.Buffered() > 0 && x.Open()
}

// Open reports whether the server has not ended the connection, by a system call: what the server has said stands
// before its end, which is not heard of then. Of Unix sockets it is not known. T.
func (x *Conn[K, C]) Open() bool {
	info, err := x.Own.TCPInfo()
	return err != nil || info.State == sock.TCPEstablished
}

// Pends reports whether a read of a connection, which is what peek does, gives something without waiting: TLS may have
// records in its own memory, of which what is below does not tell. A session of a protocol says itself what it has read
// and not used. T, does not park.
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

// stale is told, by the loop's thread, that something has come.
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

// expire closes those that were at rest for too long.
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

// TakeAll takes all out. G.
func (p *Pool[K, C]) TakeAll() (all []C) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.count > 0 {
		all = append(all, p.giveUp(p.ages.next))
	}
	clear(p.byKey)
	return all
}

// Own is what sock has made below a connection; nil if that is of another kind.
func Own(c net.Conn) *sock.Conn {
	for {
		switch t := c.(type) {
		case *sock.Conn:
			return t
		case interface{ NetConn() net.Conn }: // as TLS's have
			c = t.NetConn()
		default:
			return nil
		}
	}
}

// Peer is where a connection leads to, as far as is known.
func Peer(own *sock.Conn) netip.AddrPort {
	if own == nil {
		return netip.AddrPort{}
	}
	return handle.Sockets.Peer(own)
}

// Close closes a connection, and does not wait for that. G.
func Close(l *loop.Loop, c net.Conn) {
	if own, ok := c.(*sock.Conn); ok {
		own.CloseSoon()
		return
	}
	(*ringo.Loop)(l).Go(func() { c.Close() })
}
