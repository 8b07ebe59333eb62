package sock

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// Descriptor is a connection's, asked for without a call that would be a foreign caller's, as Control is.
func Descriptor(c *Conn) uintptr { return uintptr(c.core.FD().Sys()) }

// Gathered reports whether slices were ever put together in memory of the connection's loop.
func Gathered(c *Conn) bool { return c.local.gather != nil }

// Counted is how many connections of a set count for each loop, 0 for those that have a listener and none.
func Counted(s *ListenerSet) map[*ringo.Loop]int {
	b := &s.balance
	b.mu.Lock()
	defer b.mu.Unlock()
	counted := map[*ringo.Loop]int{}
	for _, m := range b.members {
		counted[(*ringo.Loop)(m.l)] = int(m.conns.Load())
	}
	return counted
}

// Assign decides that the next connection is that of the loop that has the fewest, and gives what brings it there, for
// whoever has accepted it; nil if no loop takes any.
func Assign(s *ListenerSet) (l *ringo.Loop, bring func(fd int)) { return AssignOf(s, 0) }

// AssignOf is Assign of one with a descriptor of that number.
func AssignOf(s *ListenerSet, fd int) (l *ringo.Loop, bring func(fd int)) {
	m := s.balance.least(int32(fd), nil, nil)
	if m == nil {
		return nil, nil
	}
	return (*ringo.Loop)(m.l), func(fd int) { m.send(int32(fd)) }
}

// Taking is how many loops take what others have accepted.
func Taking(s *ListenerSet) (n int) {
	b := &s.balance
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.members {
		if m.takes {
			n++
		}
	}
	return n
}

// MoveServed is what Rebalance does with each connection that it moves. For tasks of its loop.
func MoveServed(s *ListenerSet, c *Conn, to *ringo.Loop) (moved bool) {
	return c.mayMove() && c.moveServed(s.balance.memberOf((*loop.Loop)(to)))
}

// SetLeaveMax has peers of drains that begin take so long to end their side.
func SetLeaveMax(d time.Duration) (restore func()) {
	was := leaveMax
	leaveMax = d
	return func() { leaveMax = was }
}

// The memory of datagrams goes when nobody has read any between two Trims.
func TestMemoryOfDatagramsIsGivenBack(t *testing.T) {
	s := &loopState{l: new(loop.Loop)}
	pl := s.packets()
	pl.used = true
	if more := s.Trim(); !more || s.packet != pl {
		t.Error("the memory of datagrams that were read went")
	}
	pl.owner = new(packet)
	if s.Trim(); s.packet != pl {
		t.Error("the memory of datagrams that are unread went")
	}
	pl.owner = nil
	if more := s.Trim(); more || s.packet != nil {
		t.Error("the memory of datagrams stays where nobody reads any")
	}
}

// Passed reports whether nothing that was published is still to be passed on by a loop, whose task calls.
func (f *Feed) Passed(l *ringo.Loop) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.part((*loop.Loop)(l))
	return p == nil || !p.passing
}

// Idle reports whether nothing waits for a connection either.
func (f *Feed) Idle(l *ringo.Loop) bool {
	if !f.Passed(l) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.part((*loop.Loop)(l))
	return p == nil || !slices.ContainsFunc(p.all, func(s *follower) bool { return s.sending })
}

// Longest is how many messages wait for the connection for which the most do, of the loop whose task calls.
func (f *Feed) Longest(l *ringo.Loop) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.part((*loop.Loop)(l)); p != nil {
		for _, s := range p.all {
			n = max(n, len(s.waiting))
		}
	}
	return n
}

// Behind is how many messages have not been passed on.
func (f *Feed) Behind() (n int) {
	free := 0
	for f.behind.TryAcquire(1) {
		free++
	}
	f.behind.Release(int64(free))
	return behindMax - free
}

// Limited is what the limits of a set's listeners count: connections, and peers that have some.
func Limited(s *ListenerSet) (conns, peers int) {
	m := s.limits
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns, len(m.peers)
}

// PeerOf is what counts as one peer.
var PeerOf = peerOf

// BoundOn is the address that a listener, or a socket of datagrams, gets of a kernel.
func BoundOn(k kernel.Kernel, network, address string) (netip.AddrPort, error) {
	ap, err := resolveListen(context.Background(), k, network, address)
	if err != nil {
		return ap, err
	}
	var s socket
	lc := new(ListenConfig)
	if strings.HasPrefix(network, "udp") {
		s, _, err = lc.openPacket(k, network, ap, true)
	} else {
		s, err = lc.open(k, network, ap, true)
	}
	if err != nil {
		return ap, err
	}
	defer s.close()
	return s.addrPort()
}
