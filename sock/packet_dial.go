package sock

import (
	"context"
	"net"
	"net/netip"
	"time"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// DialPacket makes a connected UDP socket: it sends to address, and receives datagrams from it only. network is as for
// ListenPacket. A name's addresses are tried one after the other. The socket belongs to l. Any goroutine may call it; a
// task parks while a host name is looked up, or if it belongs to another loop.
func DialPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	return new(Dialer).DialPacket(l, network, address)
}

// DialPacket is like the function DialPacket, with these options, where LocalAddr is a *net.UDPAddr. A task parks.
func (d *Dialer) DialPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	return d.DialPacketContext(context.Background(), l, network, address)
}

// DialPacketContext is like DialPacket, but ends with the context, as DialContext does. The resolver gets the context's
// values. The socket belongs to l. Any goroutine may call it; a task parks while a host name is looked up, or if it
// belongs to another loop.
func (d *Dialer) DialPacketContext(ctx context.Context, l *ringo.Loop, network, address string) (*PacketConn, error) {
	return dialOn(ctx, d, l, network, address, (*Dialer).dialPacket)
}

func (d *Dialer) dialPacket(values context.Context, l *loop.Loop, network, address string, end time.Time) (*PacketConn,
	error) {
	fail := func(err error) (*PacketConn, error) { return nil, dial.Error(network, nil, err) }
	if err := checkPacketNetwork(network); err != nil {
		return fail(err)
	}
	host, port, err := dial.Target(l, d.Resolver, network, address, end)
	if err != nil {
		return fail(err)
	}
	trace := dial.TraceOf(values)
	values = trace.Values(values)
	lookup := trace.Lookups(1, func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		return dial.LookupHost(ctx, d.Resolver, network, host)
	})
	var addrs []netip.Addr
	err = dial.Beside(l, dial.Numeric(host), end, func(ctx context.Context) (err error) {
		addrs, err = lookup(carrying{ctx, values}, network, host)
		return err
	})
	if err != nil {
		return fail(dial.OfLookup(host, err))
	}
	local, err := localAddr[*net.UDPAddr](network, d.LocalAddr)
	if err == nil {
		addrs, err = local.suit(addrs)
	}
	if err != nil {
		return fail(err)
	}
	// Connecting a datagram socket sends nothing and succeeds for any address, so there is no race to run.
	var first error
	for _, addr := range addrs {
		ap := netip.AddrPortFrom(addr, port)
		if dial.Passed(l, end) {
			return nil, local.fail(network, dial.UDPAddr(ap), dial.Late)
		}
		c, err := d.connectPacket(l, network, local, ap, trace)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// connectPacket makes a socket that is connected to one address.
func (d *Dialer) connectPacket(l *loop.Loop, network string, local localEnd, ap netip.AddrPort, trace *dial.Trace) (
	c *PacketConn, err error) {
	if trace != nil {
		done := trace.Connect(network, dial.UDPAddr(ap))
		defer func() { done(err) }()
	}
	at, err := local.forPeer(ap.Addr())
	var s socket
	if err == nil {
		s, err = d.connectedPacket(l, network, at, ap)
	}
	if err != nil {
		return nil, local.fail(network, dial.UDPAddr(ap), err)
	}
	if ap.Addr().IsUnspecified() { // this machine
		if peer := new(sys.Sockaddr); s.k.Getpeername(s.n, peer) >= 0 {
			ap = peer.AddrPort()
		}
	}
	own, err := s.addrPort()
	if err != nil {
		s.close()
		return nil, local.fail(network, dial.UDPAddr(ap), err)
	}
	return newPacketConn(l, network, s.n, own, ap), nil
}

func (d *Dialer) connectedPacket(l *loop.Loop, network string, local, ap netip.AddrPort) (socket, error) {
	s, err := packetSocket(l.Kernel(), network, ap, false)
	if err != nil {
		return s, err
	}
	return s.orClose(first(
		func() error { return l.Unwatchable(s.n) },
		func() error { return d.controls().udp(ap, s) },
		func() error { return s.bindTo(local) },
		func() error { return s.connect(ap) }))
}
