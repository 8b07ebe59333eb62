package sock

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// DialPeer makes a socket for a peer beside the loop's own, on the set's address, and connects it to the peer. What the
// kernel receives from the peer from then on comes to this socket, and its reads fail with errors that the network
// reports, such as ECONNREFUSED. Datagrams that came before are the loop's own socket's, as are those of all other
// peers: none of these changes its loop, and SteerQUIC holds for them. A peer whose address has changed is another one.
// The socket has the options of the set's ListenConfig, and stays open when the loop's own closes.
//
// The loop's own socket must be open, and the set bound to one address and not to all: the kernel would refuse others'
// datagrams while it moves a socket to the address from which that connects. No socket of the set may be closed before
// the Run ends: from then on DialPeer fails, and other peers may change their loop. Each socket costs a descriptor and,
// before Linux 6.13, every datagram to the set's port a look at it. If the kernel has taken another peer's datagram for
// the new socket just when that was connected, it goes to the loop's own socket; it is lost if goroutines read there.
//
// DialPeer takes SO_ATTACH_REUSEPORT_CBPF (socket(7), Linux 4.5), which is right for several loops since Linux 5.8, and
// a set without AllowShared; elsewhere it fails with errors.ErrUnsupported, except in a simulated world. Only a task of
// l may call it. It does not park.
func (s *PacketSet) DialPeer(l *ringo.Loop, peer netip.AddrPort) (c *PacketConn, err error) {
	e := (*loop.Loop)(l)
	switch {
	case s.network == "":
		return nil, errZero
	case !e.IsCurrent():
		err = stranger(e)
	default:
		if err = s.strange(e); err == nil {
			c, err = s.dial(e, peer)
		}
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: s.network, Source: s.udp, Addr: dial.UDPAddr(peer), Err: err}
	}
	return c, nil
}

// peersState says whether there may be sockets of peers in the set's group.
type peersState uint8

const (
	noPeers peersState = iota
	somePeers
	noMorePeers // a socket of the set has closed
)

var (
	errAllAddresses = errors.New("the set is bound to all addresses")
	errNoGroup      = fmt.Errorf("%w: it takes SO_ATTACH_REUSEPORT_CBPF (Linux 4.5) and an address of the set's own",
		errors.ErrUnsupported)
	errNoMorePeers = fmt.Errorf("a socket of the set has closed: %w", net.ErrClosed)
)

func (s *PacketSet) dial(l *loop.Loop, peer netip.AddrPort) (*PacketConn, error) {
	own, err := s.beside(l)
	if err != nil {
		return nil, err
	}
	m := sendmsg{to: peer}
	if err := own.suit(&m); err != nil {
		return nil, err
	}
	o, _, err := s.lc.openPacket(s.k, s.network, s.addr, false, func(o socket) { o.set(solSocket, soReuseaddr, 1) })
	if err != nil {
		return nil, err
	}
	// The next one has to join the set's group, which this one may have left: where the kernel finds connected sockets
	// by a hash, since Linux 6.13. With SO_REUSEADDR peers' sockets share the address all the same.
	if o, err = o.orClose(first(
		func() error { return l.Unwatchable(o.n) },
		func() error { return o.connect(m.to) },
		func() error { return o.set(solSocket, soReuseport, 0) })); err != nil {
		return nil, err
	}
	c := newPacketConn(l, s.network, o.n, s.addr, netip.AddrPort{})
	c.keepTo(m.to, own)
	return c, nil
}

// beside returns the loop's own socket, if there may be peers' sockets beside it.
func (s *PacketSet) beside(l *loop.Loop) (own *PacketConn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == l.Set() {
		own = s.conns[l.Index()]
	}
	switch {
	case s.closed, own == nil, own.core.Closing():
		return nil, net.ErrClosed
	case s.addr.Addr().Unmap().IsUnspecified():
		return nil, errAllAddresses
	case !s.group && s.home == nil:
		return nil, errNoGroup
	case s.peers == noMorePeers:
		return nil, errNoMorePeers
	}
	if s.home == nil {
		s.peers = somePeers
	}
	return own, nil
}

// keepTo is called for a socket that has just been connected to a peer. What it has of others goes to own: the kernel
// looks for a datagram's socket without a lock, and may have found this one before and taken it after the connect. For
// tasks of the loop.
func (c *PacketConn) keepTo(peer netip.AddrPort, own *PacketConn) {
	c.in.window = fetchMax
	c.fetch(nil) // with the senders, as long as connected is not set
	c.local.packet.keepUnread()
	all, others := c.in.kept, 0
	c.in.kept = all[:0]
	for _, d := range all {
		switch {
		case d.from == peer:
			c.in.kept = append(c.in.kept, d)
		case !own.core.Own(handle.In).Lent():
			d.bytes, d.control = bytes.Clone(d.bytes), bytes.Clone(d.control)
			own.in.kept = append(own.in.kept, d)
			others++
		}
	}
	if len(c.in.kept) == 0 {
		c.in.dropKept(&c.packet)
	}
	if others > 0 && !own.core.Wake() && own.in.news != nil {
		own.in.news()
	}
	c.connected, c.peer, c.raddr = true, peer, dial.UDPAddr(unmapped(peer))
}

// closes is called when a loop's socket, or one that no loop has taken, begins to close. A socket of a peer would get
// its number in the group, and so datagrams of others. So from now on the kernel chooses among those without a peer.
func (s *PacketSet) closes(fd int32) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leavePeers(fd)
}

// leavePeers is closes for a caller that holds mu.
func (s *PacketSet) leavePeers(fd int32) {
	if s.peers == somePeers {
		s.peers = noMorePeers
		socket{s.k, fd}.attach([]sys.Filter{{Code: bpfReturn, K: bpfNobody}})
	}
}
