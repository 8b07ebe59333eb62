package sock

import (
	"io"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// An IPConn is a raw IP socket, such as one of network "ip4:icmp": a net.PacketConn and a net.Conn with the methods of
// *net.IPConn. Adopt makes one from a socket of package net, which knows the names of protocols. Loops, tasks and
// goroutines may use it as described at PacketConn.
//
// As with package net, datagrams of IPv4 come with their header in Read and ReadMsgIP, and without it in ReadFrom and
// ReadFromIP.
type IPConn struct{ packet }

// ip adopts a raw IP socket.
func (ac *AdoptConfig) ip(l *ringo.Loop, s io.Closer) (*IPConn, error) {
	return adopt(ac, l, s, wants("ip", "a raw IP one"), func(e *loop.Loop, a *importedSocket) (*IPConn, error) {
		name, err := socket{kernel.Host{}, a.fd.Sys()}.name()
		if err != nil {
			return nil, err
		}
		c := new(IPConn)
		if peer := peerOfIP(s); peer.IsValid() {
			c.connected, c.peer, c.raddr = true, netip.AddrPortFrom(peer, 0), ipAddr(peer)
		}
		c.laddr = ipAddr(name.AddrPort().Addr())
		c.init(e, a.network, uint32(name.Family()), a.fd.Take())
		return c, nil
	})
}

// peerOfIP returns the address that a socket is connected to. The kernel does not report it for a socket without ports,
// but package net remembers it. For a file it is not known: then Write works, and reads return each datagram's sender.
func peerOfIP(s io.Closer) (peer netip.Addr) {
	if c, ok := s.(net.Conn); ok {
		if a, ok := c.RemoteAddr().(*net.IPAddr); ok && a != nil {
			peer, _ = netip.AddrFromSlice(a.IP)
			return peer.Unmap().WithZone(a.Zone)
		}
	}
	return netip.Addr{}
}

func ipAddr(a netip.Addr) *net.IPAddr {
	a = dial.NamedZone(netip.AddrPortFrom(a.Unmap(), 0)).Addr()
	return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
}

// ReadFrom is ReadFromIP, but returns the sender as a net.Addr. A task parks.
func (c *IPConn) ReadFrom(p []byte) (int, net.Addr, error) {
	return asNet(c.ReadFromIP(p))
}

// ReadFromIP reads a datagram into p, without the IPv4 header, which needs room in p nevertheless, and returns the
// sender. It waits as Read does. Any goroutine may call it.
func (c *IPConn) ReadFromIP(p []byte) (int, *net.IPAddr, error) {
	d := recvmsg{p: p}
	if err := c.receive("recvfrom", &d); err != nil {
		return 0, nil, err
	}
	n := d.n
	if c.family == sys.AFInet {
		n = stripHeader(p, n)
	}
	return n, ipAddr(d.from.Addr()), nil
}

// stripHeader removes an IPv4 header: it moves what follows to the front.
func stripHeader(p []byte, n int) int {
	const least = 20
	if n < least || p[0]>>4 != 4 {
		return n
	}
	header := int(p[0]&0x0f) << 2
	if header < least || header > n {
		return n
	}
	return copy(p, p[header:n])
}

// ReadMsgIP reads a datagram into b, including an IPv4 header, and the control messages that came with it into oob.
// flags has MSG_TRUNC if b was too short and MSG_CTRUNC if oob was. It waits as Read does. Any goroutine may call it.
func (c *IPConn) ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	d := recvmsg{p: b, oob: oob}
	if err = c.receive("recvmsg", &d); err == nil {
		addr = ipAddr(d.from.Addr())
	}
	return d.n, d.oobn, int(d.flags), addr, err
}

// WriteTo is WriteToIP; addr must be a *net.IPAddr. A task parks.
func (c *IPConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	return writeAs(&c.packet, p, addr, c.WriteToIP)
}

// WriteToIP is like Write, but to addr, on an unconnected socket.
func (c *IPConn) WriteToIP(p []byte, addr *net.IPAddr) (int, error) {
	m := sendmsg{p: p}
	if err := c.addressIP(&m, addr); err != nil {
		return 0, err
	}
	return c.writeTo("sendto", &m)
}

// WriteMsgIP sends b as one datagram with control messages. addr is nil on a connected socket. Any goroutine may call
// it; it waits as Write does.
func (c *IPConn) WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error) {
	m := sendmsg{p: b, oob: oob}
	if addr != nil || !c.connected {
		if err := c.addressIP(&m, addr); err != nil {
			return 0, 0, err
		}
	}
	return c.writeMsg(&m)
}

// addressIP sets the address of a sendmsg, and checks it.
func (c *IPConn) addressIP(m *sendmsg, addr *net.IPAddr) error {
	switch {
	case c.l == nil:
		return errZero
	case c.connected:
		return c.failTo(m, net.ErrWriteToConnected)
	case addr == nil:
		return c.failTo(m, dial.MissingAddress)
	}
	m.named, m.dst = true, addr
	ip, err := c.ipOf(addr.IP, addr.Zone)
	if err != nil {
		return c.failTo(m, err)
	}
	m.to = netip.AddrPortFrom(ip, 0)
	return nil
}
