package sock

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/rate"
)

// Limits bound what peers can take of a server by connecting. A zero field is no limit. What each bound has done is in
// ListenerStats.
type Limits struct {
	// Conns is how many connections that Accept has returned may be open at once, on all loops of a set together. At
	// the bound Accept waits until one has ended, and peers wait in the kernel's queue, some few accepted ahead.
	Conns int
	// ConnsPerPeer is how many of them one peer may have: an IPv4 address, or a network of IPv6 of 64 bits, which is
	// what one host can have. Further ones are reset as they are accepted, which is reported at most once in 10 s. Unix
	// sockets' peers have no addresses and no such bound; listeners of package event can't have it.
	ConnsPerPeer int
	// Rate is how many connections Accept returns in a second, on all loops of a set together, and Burst how many at
	// once after a pause; 0 means as many as in 100 ms, and at least one. At the bound Accept waits.
	Rate  float64
	Burst int
}

// check is what is wrong with them.
func (c *Limits) check() error {
	if c.Conns < 0 || c.ConnsPerPeer < 0 || !(c.Rate >= 0) || c.Burst < 0 {
		return fmt.Errorf("Limits: %+v: no field may be negative", *c)
	}
	return nil
}

// of has one loop's listener keep them.
func (c Limits) of(ln *Listener, err error) (*Listener, error) {
	if err == nil {
		ln.counts.limits = newLimiter(c)
	}
	return ln, err
}

// limiter holds the listeners of a set to its Limits. Nil is none.
type limiter struct {
	Limits
	rate *rate.Limiter // nil: none
	told loop.Seldom

	mu    sync.Mutex
	conns int
	peers map[netip.Addr]int // connections by peerOf
	held  []*Listener        // that wait until one has ended
}

// newLimiter gives nil if there is nothing to limit.
func newLimiter(c Limits) *limiter {
	if c == (Limits{}) {
		return nil
	}
	m := &limiter{Limits: c}
	if c.ConnsPerPeer > 0 {
		m.peers = make(map[netip.Addr]int)
	}
	if c.Rate > 0 {
		if c.Burst == 0 {
			c.Burst = max(1, int(c.Rate/10))
		}
		m.rate = rate.NewLimiter(rate.Limit(c.Rate), c.Burst)
	}
	return m
}

// admit counts a connection that a listener has accepted, if it may be returned now. If not, and pause is 0, the
// listener is woken when that may have changed. G.
func (m *limiter) admit(ln *Listener) (pause time.Duration, ok bool) {
	if m == nil {
		return 0, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Conns > 0 && m.conns >= m.Conns {
		if !slices.Contains(m.held, ln) {
			m.held = append(m.held, ln)
			ln.counts.limited.Add(1)
		}
		return 0, false
	}
	if m.rate != nil && !m.rate.Allow() {
		ln.counts.limited.Add(1)
		missing := 1 - m.rate.Tokens()
		return max(time.Millisecond, time.Duration(missing/m.Rate*float64(time.Second))), false
	}
	m.conns++
	return 0, true
}

// peerIs counts a connection for its peer, and reports whether that may have it. Either way it has it until gone. G.
func (m *limiter) peerIs(peer netip.Addr) bool {
	if m == nil || m.peers == nil || !peer.IsValid() {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := peerOf(peer)
	m.peers[key]++
	return m.peers[key] <= m.ConnsPerPeer
}

// again counts a connection that has moved to another loop, and has not ended. G.
func (m *limiter) again(peer netip.Addr) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.conns++
	m.mu.Unlock()
	m.peerIs(peer)
}

// gone counts a connection no longer. G.
func (m *limiter) gone(peer netip.Addr) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.conns--
	if m.peers != nil && peer.IsValid() {
		key := peerOf(peer)
		if m.peers[key]--; m.peers[key] == 0 {
			delete(m.peers, key)
		}
	}
	held := m.held
	m.held = nil
	m.mu.Unlock()
	for _, ln := range held {
		ln.l.Call(func() { ln.core.Wake() })
	}
}

// peerOf is what counts as one peer.
func peerOf(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() {
		return a
	}
	network, _ := a.WithZone("").Prefix(64) // of 128 bits
	return network.Addr()
}

// admit is limiter.admit for a task of the loop that has access and a connection. If it must wait, the connection is
// again the next one, and the loop is woken when there is a reason to look.
func (ln *Listener) admit(s int32) bool {
	pause, ok := ln.counts.limits.admit(ln)
	if ok {
		return true
	}
	ln.unpop(s)
	ln.cancelAccept() // peers can wait in the kernel
	if pause > 0 && !ln.timer.Armed() {
		ln.l.Timers().Arm(&ln.timer, ln.l.After(pause))
	}
	return false
}

// heldPause is how long a goroutine waits that finds no place, before it looks again.
const heldPause = 5 * time.Millisecond

// unpop makes what was accepted the next one again.
func (ln *Listener) unpop(s int32) {
	ln.queue.back(s)
	ln.counts.ahead.Store(int64(ln.queue.len()))
}

// refuses reports whether a connection is one too many of its peer's. Then it has ended.
func (ln *Listener) refuses(c *Conn) bool {
	if ln.counts.limits.peerIs(c.raddr.Addr()) {
		return false
	}
	ln.counts.refused.Add(1)
	peer := peerOf(c.raddr.Addr())
	c.SetLinger(0)
	c.CloseSoon()
	m := ln.counts.limits
	m.told.Tell(ln.l, "connections are refused", ln.Addr(), func() (string, slog.Attr) {
		return fmt.Sprintf("refuses a connection at %v: its peer, %v, has %d, as many as Limits.ConnsPerPeer allows",
			ln.Addr(), peer, m.ConnsPerPeer), slog.String("peer", peer.String())
	})
	return true
}

// errPeers is why package event can't have a bound for each peer: it keeps no addresses.
var errPeers = fmt.Errorf("Limits.ConnsPerPeer: %w: of listeners of package event", errors.ErrUnsupported)
