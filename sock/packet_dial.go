package sock

import (
	"context"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
)

// DialPacket makes a UDP socket that is connected: it sends to the address, and gets
// datagrams of that address only. network is as for ListenPacket. A name's addresses
// are tried one after the other. The socket belongs to l. Any goroutine may call it; a
// task parks for a host name, or if it is another loop's.
func DialPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	return new(Dialer).DialPacket(l, network, address)
}

// DialPacket is the function DialPacket with this configuration, where LocalAddr is a
// *net.UDPAddr.
func (d *Dialer) DialPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	d = d.with(context.Background())
	fail := func(err error) error { return dial.Error(network, nil, err) }
	return madeOn(context.Background(), l, fail, func() (*PacketConn, error) {
		return d.dialPacket((*loop.Loop)(l), network, address)
	})
}

func (d *Dialer) dialPacket(l *loop.Loop, network, address string) (*PacketConn, error) {
	fail := func(addr net.Addr, err error) (*PacketConn, error) { return nil, dial.Error(network, addr, err) }
	stream, err := streamOf(network)
	if err != nil {
		return fail(nil, err)
	}
	end := d.end()
	local, err := localAddr[*net.UDPAddr](d.LocalAddr)
	if err != nil {
		return fail(nil, err)
	}
	host, port, err := dial.Target(l, d.Resolver, stream, address, end)
	if err != nil {
		return fail(nil, err)
	}
	var addrs []netip.Addr
	err = dial.Beside(l, dial.Numeric(host), end, func(ctx context.Context) (err error) {
		addrs, err = d.lookup(ctx, stream, host)
		return err
	})
	if err != nil {
		return fail(nil, err)
	}
	// A datagram socket connects to any address without a word to it, so there is no race to run.
	var first error
	for _, addr := range addrs {
		if local.IsValid() && local.Addr().Is4() != addr.Is4() {
			continue
		}
		ap := netip.AddrPortFrom(addr, port)
		c, err := d.connectPacket(l, network, local, ap)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = dial.Error(network, net.UDPAddrFromAddrPort(ap), err)
		}
	}
	if first == nil {
		return fail(nil, dial.NoFamily(address))
	}
	return nil, first
}

// connectPacket makes a socket that is connected to one address.
func (d *Dialer) connectPacket(l *loop.Loop, network string, local, ap netip.AddrPort) (*PacketConn, error) {
	s, err := packetSocket(l, network, ap, false)
	if err != nil {
		return nil, err
	}
	if err = l.Unwatchable(s.n); err == nil {
		err = packetControl(d.Control, ap, s)
	}
	if err == nil && local.IsValid() {
		err = s.bind(local)
	}
	if err == nil {
		err = s.connect(ap)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return newPacketConn(l, network, s.n, s.name().AddrPort(), ap), nil
}
