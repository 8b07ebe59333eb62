package sock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ringo/internal/caller"
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
	"ringo/rate"
)

// Limits bound what peers can take from a server by connecting. A zero field means no limit. ListenerStats show what
// each bound has done. A connection counts until it is closed or detached, even if it moves to another loop; one that
// was adopted, or came from another program by package upgrade, does not count.
type Limits struct {
	// Conns is how many connections that Accept has returned may be open at once, on all loops of a set together. At
	// the bound Accept waits until one has ended, even in a drain, and peers wait in the kernel's queue, except one
	// that each loop may have accepted.
	Conns int
	// ConnsPerPeer is how many of those one peer may have: an IPv4 address, or an IPv6 network of 64 bits, since one
	// host can have all of it. Further connections are reset when they are accepted, count in nothing else, and are
	// reported at most once in 10 s. Unix sockets' peers have no addresses and no such bound; listeners of package
	// event can't have it.
	ConnsPerPeer int
	// Rate is how many connections Accept returns in a second, up to 1e9, on all loops of a set together, and Burst how
	// many at once after a pause; 0 means as many as in 100 ms, and at least one. At the bound Accept waits. A
	// goroutine that calls Accept checks every 2 ms, or when the rate allows the next one.
	Rate  float64
	Burst int
}

// check returns what is wrong with the fields.
func (c *Limits) check() error {
	if c.Conns < 0 || c.ConnsPerPeer < 0 || !(c.Rate >= 0 && c.Rate <= rateMax) || c.Burst < 0 {
		return fmt.Errorf("Limits: %+v: want no negative field, and a Rate of at most %g", *c, rateMax)
	}
	return nil
}

// rateMax is more than a server can accept.
const rateMax = 1e9

// of makes one loop's listener keep the limits.
func (c Limits) of(ln *Listener, err error) (*Listener, error) {
	if err == nil {
		ln.counts.limits = newLimiter(c)
	}
	return ln, err
}

// limiter holds the listeners of a set to its Limits. nil means no limits.
type limiter struct {
	Limits
	rate *rate.Limiter // nil: none
	told loop.Seldom

	mu    sync.Mutex
	conns int
	peers map[netip.Addr]int // by the peer's address, see peerOf
	held  []*Listener        // a task in each waits for a place; for each connection that ends the first is woken
}

// newLimiter returns nil if there is nothing to limit.
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

// verdict is the decision about an accepted connection.
type verdict int

const (
	admitted verdict = iota // Accept returns it
	waits                   // there is no room for it yet
	refused                 // its peer has as many as it may
)

// admit decides about a connection, and counts it if it is admitted. One that waits may be admitted after the pause,
// or, if that is 0, once another has ended: see hold. G.
func (m *limiter) admit(peer netip.Addr) (v verdict, pause time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := peerOf(peer)
	byPeer := m.peers != nil && peer.IsValid()
	switch {
	case byPeer && m.peers[key] >= m.ConnsPerPeer:
		return refused, 0
	case m.isFull():
		return waits, 0
	case m.rate != nil && !m.rate.Allow():
		return waits, m.untilNext()
	}
	if m.conns++; byPeer {
		m.peers[key]++
	}
	return admitted, 0
}

// isFull reports whether as many connections are open as may be. The caller holds the lock.
func (m *limiter) isFull() bool { return m.Conns > 0 && m.conns >= m.Conns }

// full reports whether there is no place for another. G.
func (m *limiter) full() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.isFull()
}

// untilNext returns how long it takes until the rate allows another connection.
func (m *limiter) untilNext() time.Duration {
	const most = time.Hour // then the caller looks again
	d := (1 - m.rate.Tokens()) / m.Rate * float64(time.Second)
	if d > float64(most) {
		return most
	}
	return max(time.Duration(d), 50*time.Microsecond)
}

// hold reports whether as many connections are open as may be. If so, the listener, in which a task waits, is woken
// when there is a place and it is its turn. G.
func (m *limiter) hold(ln *Listener) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isFull() {
		return false
	}
	if !slices.Contains(m.held, ln) {
		m.held = append(m.held, ln)
		ln.counts.limited.Add(1)
	}
	return true
}

// pass says that no task waits in a listener for a place. If it was woken for one, the next listener is woken instead.
// G.
func (m *limiter) pass(ln *Listener) {
	m.mu.Lock()
	if i := slices.Index(m.held, ln); i >= 0 {
		m.held = slices.Delete(m.held, i, i+1)
	}
	next := m.next()
	m.mu.Unlock()
	next.wakeHeld()
}

// next takes the first listener that is held, if there is a place; else it returns nil. The caller holds the lock.
func (m *limiter) next() (ln *Listener) {
	if m.isFull() || len(m.held) == 0 {
		return nil
	}
	ln, m.held = m.held[0], m.held[1:]
	return ln
}

// wakeHeld makes the task in a listener look again.
func (ln *Listener) wakeHeld() {
	if ln != nil && !ln.l.Call(func() { ln.core.Wake() }) {
		ln.counts.limits.pass(ln) // its loop has ended
	}
}

// gone stops counting a connection. G.
func (m *limiter) gone(peer netip.Addr) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.conns--
	if m.peers != nil && peer.IsValid() {
		key := peerOf(peer)
		if m.peers[key]--; m.peers[key] <= 0 {
			delete(m.peers, key)
		}
	}
	next := m.next()
	m.mu.Unlock()
	next.wakeHeld()
}

// keepPlace makes a connection keep its place when it is closed here because it moves: the Conn that replaces it has
// the place.
func (c *Conn) keepPlace() { c.moves.Store(true) }

// stays says that the connection does not move after all. If another caller has closed it meanwhile, its place is free.
func (c *Conn) stays() {
	if !c.moves.Swap(false) {
		c.leavePlace()
	}
}

// leavePlace gives up the connection's place. G.
func (c *Conn) leavePlace() {
	if from := c.acceptedBy(); from != nil {
		from.limits.gone(c.raddr.Addr())
	}
}

// peerOf returns what counts as one peer. Each link-local address counts as a host of its own.
func peerOf(a netip.Addr) netip.Addr {
	if a = a.Unmap(); !a.Is6() || a.IsLinkLocalUnicast() {
		return a
	}
	network, _ := a.WithZone("").Prefix(64) // of 128 bits
	return network.Addr()
}

// arrival is an accepted connection that is to be returned, and its peer's address if that is known.
type arrival struct {
	fd   int32
	peer netip.AddrPort
}

// admit decides about a connection for a task of the loop that has access. One that has to wait goes back to the front
// of the queue, and the loop is woken when it may be admitted.
func (ln *Listener) admit(s int32) (a arrival, v verdict) {
	m := ln.counts.limits
	if m == nil {
		return arrival{fd: s}, admitted
	}
	a, v, pause := ln.judge(s, &loopStateOf(ln.l).name)
	for v == waits && pause == 0 && !m.hold(ln) { // there is a place again
		a, v, pause = ln.judge(s, &loopStateOf(ln.l).name)
	}
	if v != waits {
		m.pass(ln) // it may be held all the same, and would be woken in the place of one that waits
		return a, v
	}
	ln.unpop(s)
	if pause > 0 && !ln.timer.Armed() && !ln.core.Closing() {
		ln.counts.limited.Add(1)
		ln.l.Timers().Arm(&ln.timer, ln.l.After(pause))
	}
	return a, v
}

// mayAccept reports whether a task may wait for a connection. If not, peers wait in the kernel.
func (ln *Listener) mayAccept() bool {
	m := ln.counts.limits
	if m == nil {
		return true
	}
	if ln.queue.len() > 0 || m.hold(ln) {
		return false
	}
	m.pass(ln) // there is a place: other listeners may accept for it, too
	return true
}

// judge decides about a connection, and closes it if it is refused. sa is memory for the call that asks for its peer.
// G.
func (ln *Listener) judge(s int32, sa *sys.Sockaddr) (a arrival, v verdict, pause time.Duration) {
	m := ln.counts.limits
	a.fd = s
	if ln.unix == nil {
		a.peer = nameBy(ln.l, sa, s, kernel.Kernel.Getpeername)
	}
	if v, pause = m.admit(a.peer.Addr()); v == refused {
		ln.refuse(a)
	}
	return a, v, pause
}

// refuse resets a connection whose peer has as many as it may.
func (ln *Listener) refuse(a arrival) {
	ln.counts.refused.Add(1)
	ln.l.Kernel().SetLinger(a.fd, 0)
	ln.l.Kernel().Close(a.fd)
	ln.member.add(-1)
	m := ln.counts.limits
	m.told.Tell(ln.l, "connections are refused", ln.Addr(), func() (string, slog.Attr) {
		peer := peerOf(a.peer.Addr())
		return fmt.Sprintf("refuses a connection at %v: its peer, %v, has %d, as many as Limits.ConnsPerPeer allows",
			ln.Addr(), peer, m.ConnsPerPeer), slog.String("peer", peer.String())
	})
}

// unpop puts an accepted connection back at the front of the queue.
func (ln *Listener) unpop(s int32) {
	ln.queue.back(s)
	ln.counts.ahead.Store(int64(ln.queue.len()))
}

// leaves is called when an Accept ends without a connection. One may be waiting for its place: if loops share the
// socket, another loop gets it, and if no task waits there, the first that asks. The caller has access.
func (ln *Listener) leaves() {
	m := ln.counts.limits
	if m == nil {
		return
	}
	m.pass(ln)
	ln.handOnAll()
}

// handOnAll gives the connections that wait for their place to other listeners of a shared socket, if tasks wait there.
// The caller has access.
func (ln *Listener) handOnAll() {
	if ln.share == nil || ln.counts.limits == nil {
		return
	}
	for ln.queue.len() > 0 && ln.share.handOn(ln) {
	}
}

// heldPause is how long a goroutine that finds no place waits before it looks again.
const heldPause = 2 * time.Millisecond

// admitForeign is admit for a foreign caller, which waits in it.
func (ln *Listener) admitForeign(a handle.Access, s int32) (got arrival, v verdict, err error) {
	if ln.counts.limits == nil {
		return arrival{fd: s}, admitted, nil
	}
	for counted := false; ; counted = true {
		got, v, pause := ln.judge(s, &a.Op().Ext.Addr)
		if v != waits {
			return got, v, nil
		}
		if !counted {
			ln.counts.limited.Add(1)
		}
		if err := a.Pause(cmp.Or(pause, heldPause)); err != nil {
			ln.unpop(s)
			ln.leaves()
			return got, v, err
		}
	}
}

// roomForeign waits until there may be a place. The caller accepts nothing before.
func (ln *Listener) roomForeign(a handle.Access) error {
	m := ln.counts.limits
	for counted := false; m.full(); counted = true {
		if !counted {
			ln.counts.limited.Add(1)
		}
		if err := a.Pause(heldPause); err != nil {
			return err
		}
	}
	return nil
}

// admitLate is admit for a connection that was accepted before the listener closed: it waits until the drain is over.
func (ln *Listener) admitLate(s int32, closed error) (arrival, verdict, error) {
	if ln.counts.limits == nil {
		return arrival{fd: s}, admitted, nil
	}
	for {
		a, v, pause := ln.judge(s, new(sys.Sockaddr))
		if v != waits {
			return a, v, nil
		}
		err := caller.Sleep(context.Background(), cmp.Or(pause, heldPause))
		switch {
		case err == nil && ln.backlog.mayHave():
		case ln.backlog.back(s):
			return a, v, err
		default: // its time is over
			ln.member.turnAway(ln.l, s)
			return a, v, closed
		}
	}
}

// errPeers is why package event can't have a bound for each peer: it keeps no addresses.
var errPeers = fmt.Errorf("Limits.ConnsPerPeer: %w: of listeners of package event", errors.ErrUnsupported)
