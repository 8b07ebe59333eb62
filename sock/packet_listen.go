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
		s, got, err = lc.openGroup(l.Kernel(), network, ap)
		return s, got, func() {}, err
	}
	j := joinOf(l, joinKey{packets: true})
	s, got, err = j.open(l, lc, ap, func(alone bool) (socket, netip.AddrPort, error) {
		return lc.openPacket(l.Kernel(), network, ap, alone)
	})
	return s, got, func() { j.leave(l, got) }, err
}

func checkPacketNetwork(network string) error {
	switch network {
	case "udp", "udp4", "udp6":
		return nil
	}
	return unknownNetwork(network)
}

// openPacket makes a bound datagram socket, and returns the address that it got. alone means that no other socket may
// be bound to the address yet: SO_REUSEPORT is set only after the bind, so that siblings can join later.
func (lc *ListenConfig) openPacket(k kernel.Kernel, network string, ap netip.AddrPort, alone bool) (s socket,
	got netip.AddrPort, err error) {
	if s, err = packetSocket(k, network, ap, ap.Addr().IsUnspecified()); err != nil {
		return s, ap, err
	}
	err = first(
		func() error { return lc.controls().udp(ap, s) },
		func() error { return s.reusePort(!alone) },
		func() error { return s.bind(ap) },
		func() error { return s.reusePort(true) })
	return s.bound(ap, err)
}

// openGroup makes a datagram socket for a multicast address, as package net does: bound to all addresses, since groups
// are joined separately, and at a port that other sockets may have, too.
func (lc *ListenConfig) openGroup(k kernel.Kernel, network string, ap netip.AddrPort) (s socket, got netip.AddrPort,
	err error) {
	if s, err = packetSocket(k, network, ap, true); err != nil {
		return s, ap, err
	}
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), ap.Port())
	if ap.Addr().Is6() {
		all = netip.AddrPortFrom(netip.IPv6Unspecified(), ap.Port())
	}
	err = first(
		func() error { return s.set(solSocket, soReuseaddr, 1) },
		func() error { return lc.controls().udp(all, s) },
		func() error { return s.bind(all) })
	return s.bound(ap, err)
}

// bound returns a socket and the address that it was bound to, or closes it if err is not nil, or that is not known.
func (s socket) bound(ap netip.AddrPort, err error) (socket, netip.AddrPort, error) {
	got := ap
	if err == nil {
		got, err = s.addrPort()
	}
	if err != nil {
		s.close()
		return s, ap, err
	}
	return s, got, nil
}

// packetSocket makes a UDP socket for an address, as package net does; all is for an address that means all addresses.
func packetSocket(k kernel.Kernel, network string, ap netip.AddrPort, all bool) (socket, error) {
	s, err := newSocket(k, familyOf(ap), sys.SockDgram)
	if err != nil {
		return s, err
	}
	return s.orClose(first(
		func() error { return s.set(solSocket, soBroadcast, 1) },
		func() error { return s.setFamilies(ap, network != "udp6" && all) }))
}

const soBroadcast = 6
