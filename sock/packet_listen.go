package sock

import (
	"context"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// ListenPacket makes a UDP socket of l, bound to address. network is "udp", "udp4" or "udp6"; for "udp" an address
// without a host, 0.0.0.0 and :: mean all addresses of both families, as in package net. Loops of one Run may share an
// address; the kernel then spreads the peers over them (SO_REUSEPORT). If another program has the address, or the same
// loop binds it twice, the error is EADDRINUSE. Port 0 is a new port for this socket, which other loops may then share
// by its number. A multicast address means, as in package net, all addresses of its family, at a port that any number
// of such sockets may share (SO_REUSEADDR); datagrams to a group reach the sockets that joined it, by JoinGroup. The
// socket belongs to l. Any goroutine may call it; a task parks while a host name is looked up, or if it belongs to
// another loop.
//
// The end of Run's context does not close the socket: tasks that wait for a datagram are cancelled when Config.Grace is
// over. For a server that ends at once, let another task wait for that context in Loop.Offload, as in the example of
// Dial, and close the socket.
func ListenPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	return new(ListenConfig).ListenPacket(l, network, address)
}

// ListenPacket is like the function ListenPacket, with these options; Backlog is ignored.
func (lc *ListenConfig) ListenPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	fail := func(err error) error { return listenError(network, nil, err) }
	return madeOn(context.Background(), l, fail, func() (*PacketConn, error) {
		return lc.listenPacket(l, network, address)
	})
}

func (lc *ListenConfig) listenPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	e := (*loop.Loop)(l)
	if err := checkPacketNetwork(network); err != nil {
		return nil, listenError(network, nil, err)
	}
	var ap netip.AddrPort
	if err := resolveIn(e, network, address, &ap); err != nil {
		return nil, listenError(network, nil, err)
	}
	s, ap, leave, err := lc.bindPacket(e, network, ap)
	if err == nil {
		if err = e.Unwatchable(s.n); err == nil {
			c := newPacketConn(e, network, s.n, ap, netip.AddrPort{})
			c.leave = leave
			return c, nil
		}
		s.close()
		leave()
	}
	return nil, asNamed(listenError(network, dial.UDPAddr(ap), err), address)
}

// bindPacket makes a bound socket. It returns the address that the socket got, and a function to call once that is
// free.
func (lc *ListenConfig) bindPacket(l *loop.Loop, network string, ap netip.AddrPort) (s socket, got netip.AddrPort,
	leave func(), err error) {
	if ap.Addr().IsMulticast() {
		s, err = lc.openGroup(l, network, ap)
		if err != nil {
			return s, ap, nil, err
		}
		if got, err = s.addrPort(); err != nil {
			s.close()
			return s, ap, nil, err
		}
		return s, got, func() {}, nil
	}
	j := packetJoinOf(l)
	s, got, err = j.bind(l, lc, network, ap)
	return s, got, func() { j.leave(l, got) }, err
}

func checkPacketNetwork(network string) error {
	switch network {
	case "udp", "udp4", "udp6":
		return nil
	}
	return unknownNetwork(network)
}

type packetJoinKey struct{}

func packetJoinOf(l *loop.Loop) *join {
	j, _ := l.Set().Shared.LoadOrStore(packetJoinKey{}, &join{addrs: map[netip.AddrPort]map[*loop.Loop]int{}})
	return j.(*join)
}

// bind makes a loop's datagram socket, alone on its address or beside those of other loops of the Run, and returns the
// address that it got. The lock spans the bind, so that of two loops one is the first.
func (j *join) bind(l *loop.Loop, lc *ListenConfig, network string, ap netip.AddrPort) (socket, netip.AddrPort, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	loops := j.addrs[ap]
	if loops[l] > 0 && lc.Control == nil {
		return socket{}, ap, inUse
	}
	s, err := lc.openPacket(l.Kernel(), network, ap, !lc.shares(loops, l))
	if err != nil {
		return s, ap, err
	}
	if ap, err = s.addrPort(); err != nil {
		s.close()
		return s, ap, err
	}
	if j.addrs[ap] == nil {
		j.addrs[ap] = map[*loop.Loop]int{}
	}
	j.addrs[ap][l]++
	return s, ap, nil
}

// openPacket makes a bound datagram socket. alone means that no other socket may be bound to the address yet:
// SO_REUSEPORT is set only after the bind, so that siblings can join later.
func (lc *ListenConfig) openPacket(k kernel.Kernel, network string, ap netip.AddrPort, alone bool) (socket, error) {
	s, err := packetSocket(k, network, ap, ap.Addr().IsUnspecified())
	if err != nil {
		return s, err
	}
	err = lc.controls().udp(ap, s)
	if err == nil && !alone {
		err = s.set(solSocket, soReuseport, 1)
	}
	if err == nil {
		err = s.bind(ap)
	}
	if err == nil {
		err = s.set(solSocket, soReuseport, 1)
	}
	if err != nil {
		s.close()
	}
	return s, err
}

// openGroup makes a datagram socket for a multicast address, as package net does: bound to all addresses, since groups
// are joined separately, and at a port that other sockets may have, too.
func (lc *ListenConfig) openGroup(l *loop.Loop, network string, ap netip.AddrPort) (socket, error) {
	s, err := packetSocket(l.Kernel(), network, ap, true)
	if err != nil {
		return s, err
	}
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), ap.Port())
	if ap.Addr().Is6() {
		all = netip.AddrPortFrom(netip.IPv6Unspecified(), ap.Port())
	}
	err = s.set(solSocket, soReuseaddr, 1)
	if err == nil {
		err = lc.controls().udp(all, s)
	}
	if err == nil {
		err = s.bind(all)
	}
	if err != nil {
		s.close()
	}
	return s, err
}

// packetSocket makes a UDP socket for an address, as package net does; all is for an address that means all addresses.
func packetSocket(k kernel.Kernel, network string, ap netip.AddrPort, all bool) (socket, error) {
	s, err := newSocket(k, familyOf(ap), sys.SockDgram)
	if err != nil {
		return s, err
	}
	err = s.set(solSocket, soBroadcast, 1)
	if err == nil && ap.Addr().Is6() {
		err = s.setFamilies(network != "udp6" && all)
	}
	if err != nil {
		s.close()
	}
	return s, err
}

const soBroadcast = 6
