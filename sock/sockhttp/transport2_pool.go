package sockhttp

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"ringo"
)

// http2AllowedClient reports whether net/http's clients speak HTTP/2, which programs are built, or told, to do
// without.
var http2AllowedClient = sync.OnceValue(func() bool {
	probe := new(http.Transport)
	probe.CloseIdleConnections() // with which it has decided
	return probe.TLSNextProto["h2"] != nil
})

// dialing is a connection in the making that may turn out to be one of HTTP/2, for which others wait.
type dialing struct {
	over *ringo.Chan[struct{}] // closed at its end
	err  error
}

// speaks is which protocols a request may be made by.
func (x *call) speaks() (one, two bool) {
	p := x.t.protocols()
	if x.to.key.scheme == "http" {
		two = p.UnencryptedHTTP2() && !p.HTTP1()
		return !two, two
	}
	two = p.HTTP2() && !x.to.key.only1
	return p.HTTP1() || !two, two
}

// connectFor makes a connection for a request. Requests that can share one wait for one that is being made, and have
// its error.
func (p *pool) connectFor(x *call) (c *clientConn, since time.Time, was bool, err error) {
	key := x.to.key
	for p.mayShare(x) {
		d := p.dials[key]
		if d == nil {
			d = &dialing{over: ringo.NewChan[struct{}](0)}
			p.dials[key] = d
			c, was, err := p.makeFor(x, d)
			return c, since, was, err
		}
		if _, err := d.over.Recv(); !errors.Is(err, ringo.ErrClosed) {
			return nil, since, false, err
		}
		if d.err != nil {
			return nil, since, false, d.err
		}
		if c, since, was = p.find(x); c != nil {
			return c, since, was, nil
		}
	}
	c, was, err = p.make(x)
	return c, since, was, err
}

// makeFor makes one for which others wait.
func (p *pool) makeFor(x *call, d *dialing) (c *clientConn, was bool, err error) {
	defer func() {
		delete(p.dials, x.to.key)
		d.over.Close()
	}()
	if c, was, err = p.make(x); !x.l.Canceled() && x.ended() == nil { // or the error is this request's alone
		d.err = err
	}
	return c, was, err
}

// mayShare reports whether the connection of a request may be one that others share.
func (p *pool) mayShare(x *call) bool {
	_, two := x.speaks()
	return two && !p.t.DisableKeepAlives && !p.ones[x.to.key]
}

// onesMax is how many servers of HTTP/1 are remembered. At the next all are forgotten, and found out again.
const onesMax = 1024

// chose notes what a server has chosen.
func (p *pool) chose(c *clientConn) {
	switch {
	case c.two != nil:
		delete(p.ones, c.at.Key)
	case len(p.ones) >= onesMax:
		clear(p.ones)
	default:
		p.ones[c.at.Key] = true
	}
}

// join takes room for a request on a connection of HTTP/2; nil: there is none.
func (p *pool) join(key hostKey) (c *clientConn, since time.Time, was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.two[key] {
		if c.at.Out() || !c.two.reserve() {
			continue
		}
		since, was = p.idle.Unlink(&c.at)
		return c, since, was
	}
	return nil, since, false
}

// add has requests share a connection.
func (p *pool) add(c *clientConn) {
	p.mu.Lock()
	p.two[c.at.Key] = append(p.two[c.at.Key], c)
	p.mu.Unlock()
	c.two.mu.Lock()
	c.two.freed()
	c.two.unlock()
}

// forget takes it out, if it is in.
func (p *pool) forget(c *clientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeShared(c)
}

func (p *pool) removeShared(c *clientConn) {
	p.idle.Unlink(&c.at)
	list := slices.DeleteFunc(p.two[c.at.Key], func(other *clientConn) bool { return other == c })
	if p.two[c.at.Key] = list; len(list) == 0 {
		delete(p.two, c.at.Key)
	}
}

// busy is said when something comes of a connection at rest.
func (p *pool) busy(c *clientConn) { p.idle.Unlink(&c.at) }

// rest keeps a connection of HTTP/2 that has had no streams since then; false if it is not to be kept.
func (p *pool) rest(c *clientConn, since time.Time) bool {
	most := p.t.idlePerHost()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, other := range p.two[c.at.Key] {
		if p.idle.Rests(&other.at) {
			n++
		}
	}
	switch {
	case p.idle.Rests(&c.at):
		return true
	case n >= most || c.gone.Load():
		return false
	}
	p.idle.Link(&c.at, since)
	return true
}

// retire takes out those that are shared and have no streams, in an order that worlds play again. The caller holds mu.
func (p *pool) retire() (all []*clientConn) {
	for _, key := range slices.SortedFunc(maps.Keys(p.two), hostKey.compare) {
		for _, c := range slices.Clone(p.two[key]) {
			if c.two.retire() {
				p.removeShared(c)
				all = append(all, c)
			}
		}
	}
	return all
}

// takeShared is take of one that has no streams, to close it. Any caller.
func (p *pool) takeShared(key hostKey) *clientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.two[key] {
		if c.two.retire() {
			p.removeShared(c)
			return c
		}
	}
	return nil
}

// share gives the room of a connection to requests of its loop that wait. If one of another loop waits for longer, the
// connection is closed if it can be.
func (p *pool) share(c *clientConn) {
	s := &p.t.limits
	s.mu.Lock()
	h := s.hosts[c.at.Key]
	closes := false
	for h != nil && len(h.queue) > 0 {
		w := h.queue[0]
		if w.p != p {
			closes = c.two.retire()
			break
		}
		if !c.two.reserve() {
			break
		}
		p.busy(c)
		h.queue = h.queue[1:]
		w.got.TrySend(c)
	}
	s.mu.Unlock()
	if closes {
		c.close()
	}
}
