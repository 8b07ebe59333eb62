package sock

import (
	"net"
	"net/netip"

	"ringo/internal/dial"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// A PacketConn is a UDP socket: a net.PacketConn and a net.Conn with the methods of *net.UDPConn. It belongs to one
// loop, and is fastest in tasks of that loop; other tasks and goroutines may use it too, at the same time. Goroutines
// wait as with package net.
//
// One caller may read while another writes; several readers, or several writers, take turns in order of arrival. A read
// returns one datagram; if the buffer is too short the rest is lost, which the ReadMsg methods and ReadBatch report. A
// datagram may be empty, so a count of 0 does not mean the end.
//
// The kernel queues unread datagrams up to a bound (SetReadBuffer), and drops and counts further ones (Drops).
type PacketConn struct{ packet }

// newPacketConn makes a PacketConn of a descriptor. It is connected to peer if that is valid.
func newPacketConn(l *loop.Loop, network string, s int32, local, peer netip.AddrPort) *PacketConn {
	c := new(PacketConn)
	family := uint32(sys.AFInet)
	if local.Addr().Is6() {
		family = sys.AFInet6
	}
	c.init(l, network, family, s)
	c.laddr = dial.UDPAddr(unmapped(local))
	if peer.IsValid() {
		c.connected, c.peer, c.raddr = true, peer, dial.UDPAddr(unmapped(peer))
	}
	return c
}

func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// ReadFrom is like Read, and returns the sender, a *net.UDPAddr. A task parks.
func (c *PacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	return asNet(c.ReadFromUDP(p))
}

// ReadFromUDP is like Read, and returns the sender. A task parks.
func (c *PacketConn) ReadFromUDP(p []byte) (int, *net.UDPAddr, error) {
	return c.readFromUDP(p, new(net.UDPAddr))
}

// readFromUDP is ReadFromUDP with memory for the sender, which stays on the caller's stack if the caller does not keep
// it.
func (c *PacketConn) readFromUDP(p []byte, a *net.UDPAddr) (int, *net.UDPAddr, error) {
	n, from, err := c.readFrom("recvfrom", p)
	if err != nil {
		return n, nil, err
	}
	a.IP, a.Zone, a.Port = from.Addr().AsSlice(), from.Addr().Zone(), int(from.Port())
	return n, a, nil
}

// ReadFromUDPAddrPort is like Read, returns the sender, and does not allocate. On a dual-stack socket IPv4 addresses
// are mapped into IPv6, as in package net. A task parks.
func (c *PacketConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	return c.readFrom("recvfrom", p)
}

// ReadFromAddrPort is ReadFromUDPAddrPort, under the name that pion/ice uses. A task parks.
func (c *PacketConn) ReadFromAddrPort(p []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(p)
}

func (c *PacketConn) readFrom(call string, p []byte) (int, netip.AddrPort, error) {
	d := recvmsg{p: p}
	err := c.receive(call, &d)
	return d.n, d.from, err
}

// ReadMsgUDP reads a datagram into b, and the control messages that came with it into oob: see ParseControl, which
// decodes them, and SetControl, which asks for them. flags has MSG_TRUNC if b was too short and MSG_CTRUNC if oob was.
// With SetGRO it returns joined datagrams as one. Any goroutine may call it; a task parks.
func (c *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, from, err := c.ReadMsgUDPAddrPort(b, oob)
	if err == nil {
		addr = net.UDPAddrFromAddrPort(from)
	}
	return n, oobn, flags, addr, err
}

// ReadMsgUDPAddrPort is like ReadMsgUDP, with the sender as in ReadFromUDPAddrPort. A task parks.
func (c *PacketConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	d := recvmsg{p: b, oob: oob, joined: true}
	err = c.receive("recvmsg", &d)
	return d.n, d.oobn, int(d.flags), d.from, err
}

// WriteTo is WriteToUDP; addr must be a *net.UDPAddr. A task parks.
func (c *PacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	return writeAs(&c.packet, p, addr, c.WriteToUDP)
}

// WriteToUDP is like Write, but to addr, on an unconnected socket. A task parks.
func (c *PacketConn) WriteToUDP(p []byte, addr *net.UDPAddr) (int, error) {
	m := sendmsg{p: p}
	if err := c.address("sendto", &m, addr); err != nil {
		return 0, err
	}
	return c.writeTo("sendto", &m)
}

// WriteToUDPAddrPort is like WriteToUDP, with the address as a value, and does not allocate. A task parks.
func (c *PacketConn) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	m := sendmsg{p: p, named: true, to: addr}
	if err := c.suit(&m); err != nil {
		return 0, c.failTo(&m, err)
	}
	return c.writeTo("sendto", &m)
}

// WriteToAddrPort is WriteToUDPAddrPort, under the name that pion/ice uses. A task parks.
func (c *PacketConn) WriteToAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(p, addr)
}

// WriteMsgUDP sends b as one datagram with control messages: see Control.Append, which makes them. addr is nil on a
// connected socket. Any goroutine may call it; a task parks.
func (c *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	m := sendmsg{p: b, oob: oob}
	if addr != nil || !c.connected {
		if err := c.address("sendmsg", &m, addr); err != nil {
			return 0, 0, err
		}
	}
	return c.writeMsg(&m)
}

// WriteMsgUDPAddrPort is like WriteMsgUDP, with the address as a value, the zero value on a connected socket. A task
// parks.
func (c *PacketConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	m := sendmsg{p: b, oob: oob, named: true, to: addr}
	if m.named = addr.IsValid() || !c.connected; m.named {
		if err := c.suit(&m); err != nil {
			return 0, 0, c.failTo(&m, err)
		}
	}
	return c.writeMsg(&m)
}

// address sets the address of a sendmsg for a system call, and checks it.
func (c *PacketConn) address(call string, m *sendmsg, addr *net.UDPAddr) error {
	if addr != nil {
		m.named, m.dst = true, addr
	}
	switch {
	case c.connected:
		return c.failTo(m, net.ErrWriteToConnected)
	case addr == nil:
		return c.failTo(m, dial.MissingAddress)
	}
	ip, err := c.ipOf(addr.IP, addr.Zone)
	if err == nil && noPort(addr.Port) {
		err = callError(call, -sys.EINVAL)
	}
	if err != nil {
		return c.failTo(m, err)
	}
	m.to = netip.AddrPortFrom(ip, uint16(addr.Port))
	return nil
}

// ipOf returns an address to send to in the socket's family, with a numeric zone. As in package net no IP, and the
// unspecified one of either family, mean this host.
func (c *packet) ipOf(ip net.IP, zone string) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap() // a net.IP does not distinguish the two
	switch {
	case c.family == sys.AFInet && len(ip) == 0:
		return netip.IPv4Unspecified(), nil
	case c.family == sys.AFInet && !a.Is4():
		return a, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
	case c.family == sys.AFInet:
		return a, nil
	case len(ip) == 0, a == netip.IPv4Unspecified():
		a = netip.IPv6Unspecified()
	case !ok:
		return a, &net.AddrError{Err: "non-IPv6 address", Addr: ip.String()}
	}
	return dial.NumericZone(netip.AddrFrom16(a.As16()).WithZone(zone))
}

// suit checks that the socket can send to the address of a sendmsg, and converts it to the socket's family.
func (c *PacketConn) suit(m *sendmsg) error {
	a := m.to.Addr()
	switch {
	case c.connected:
		return net.ErrWriteToConnected
	case !a.IsValid():
		return dial.MissingAddress
	case c.family == sys.AFInet:
		if a = a.Unmap(); !a.Is4() {
			return &net.AddrError{Err: "non-IPv4 address", Addr: a.String()}
		}
		m.to = netip.AddrPortFrom(a, m.to.Port())
	case a.Is4():
		m.to = netip.AddrPortFrom(netip.AddrFrom16(a.As16()), m.to.Port())
	case a.Zone() != "":
		a, err := dial.NumericZone(a)
		if err != nil {
			return err
		}
		m.to = netip.AddrPortFrom(a, m.to.Port())
	}
	return nil
}
