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

// http2AllowedClient reports whether net/http's clients speak HTTP/2: a build tag or GODEBUG can turn that off.
var http2AllowedClient = sync.OnceValue(func() bool {
	probe := new(http.Transport)
	probe.CloseIdleConnections() // by then it has decided
	return probe.TLSNextProto["h2"] != nil
})

// dialing is a connection that is being made, and may turn out to speak HTTP/2. Other requests wait for it.
type dialing struct {
	over *ringo.Chan[struct{}] // closed when it is over
	err  error
}

// speaks returns which protocols the request may use.
func (x *call) speaks() (one, two bool) {
	p := x.t.protocols()
	if x.to.key.scheme == "http" {
		two = p.UnencryptedHTTP2() && !p.HTTP1()
		return !two, two
	}
	two = p.HTTP2() && !x.to.key.only1
	return p.HTTP1() || !two, two
}

// connectFor makes a connection for a request. Requests that can share one wait for one that is being made, and get its
// error.
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

// makeFor makes a connection for which others wait.
func (p *pool) makeFor(x *call, d *dialing) (c *clientConn, was bool, err error) {
	defer func() {
		delete(p.dials, x.to.key)
		d.over.Close()
	}()
	if c, was, err = p.make(x); !x.l.Canceled() && x.ended() == nil { // else the error concerns this request alone
		d.err = err
	}
	return c, was, err
}

// mayShare reports whether the request may share a connection with others.
func (p *pool) mayShare(x *call) bool {
	_, two := x.speaks()
	return two && !p.t.DisableKeepAlives && !p.ones[x.to.key]
}

// onesMax is how many HTTP/1 servers are remembered. At the next one all are forgotten, and detected again.
const onesMax = 1024

// chose notes which protocol a server has chosen.
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

// join reserves a place for a request on an HTTP/2 connection; nil if there is none.
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

// add lets requests share a connection.
func (p *pool) add(c *clientConn) {
	p.mu.Lock()
	p.two[c.at.Key] = append(p.two[c.at.Key], c)
	p.mu.Unlock()
	c.two.mu.Lock()
	c.two.freed()
	c.two.unlock()
}

// forget removes a connection, if it is there.
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

// busy is called when something comes on a connection at rest.
func (p *pool) busy(c *clientConn) { p.idle.Unlink(&c.at) }

// rest keeps an HTTP/2 connection that has had no streams since then. It returns false if it is not to be kept.
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

// retire removes the shared connections without streams, in an order that simulated worlds can repeat. The caller holds
// mu.
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

// takeShared removes a shared connection without streams, so that it can be closed. Any caller.
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

// share gives the room of a connection to waiting requests of its loop. If a request of another loop has waited
// longest, it closes the connection if that has no streams.
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
