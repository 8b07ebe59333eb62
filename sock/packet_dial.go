package sock

import (
	"context"
	"net"
	"net/netip"
	"time"

	"ringo"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
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
	fail := func(err error) error { return dialError(network, nil, err) }
	return madeOn(context.Background(), l, fail, func() (*PacketConn, error) {
		return d.dialPacket(l, network, address)
	})
}

func (d *Dialer) dialPacket(l *ringo.Loop, network, address string) (*PacketConn, error) {
	e := (*loop.Loop)(l)
	stream, err := streamOf(network)
	if err != nil {
		return nil, dialError(network, nil, err)
	}
	end := time.Time{}
	if d.Timeout != 0 {
		end = time.Now().Add(d.Timeout)
	}
	local, err := d.localPacket()
	if err != nil {
		return nil, dialError(network, nil, err)
	}
	addrs, err := d.packetTargets(l, stream, address, end)
	if err != nil {
		return nil, dialError(network, nil, err)
	}
	var first error
	for _, ap := range addrs {
		if local.IsValid() && local.Addr().Is4() != ap.Addr().Is4() {
			continue
		}
		c, err := d.connectPacket(e, network, local, ap)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = dialError(network, net.UDPAddrFromAddrPort(ap), err)
		}
	}
	if first == nil {
		first = dialError(network, nil, &net.AddrError{Err: "no address of the family of LocalAddr", Addr: address})
	}
	return nil, first
}

// packetTargets are the addresses of a host and port. A datagram socket connects to
// any without a word to it, so there is no race to run.
func (d *Dialer) packetTargets(l *ringo.Loop, stream, address string, end time.Time) ([]netip.AddrPort, error) {
	host, port, err := d.target(l, stream, address, end)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	err = beside(l, numeric(host), func(ctx context.Context) error {
		ctx, cancel := until(ctx, end)
		defer cancel()
		addrs, err = lookupHost(ctx, d.Resolver, stream, host)
		return err
	})
	list := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		list[i] = netip.AddrPortFrom(a, port)
	}
	return list, err
}

// localPacket is LocalAddr as numbers; invalid if there is none.
func (d *Dialer) localPacket() (netip.AddrPort, error) {
	if d.LocalAddr == nil {
		return netip.AddrPort{}, nil
	}
	a, ok := d.LocalAddr.(*net.UDPAddr)
	if !ok || a == nil {
		return netip.AddrPort{}, &net.AddrError{Err: "LocalAddr is not a *net.UDPAddr", Addr: d.LocalAddr.String()}
	}
	ap := a.AddrPort()
	if !ap.Addr().IsValid() {
		return netip.AddrPort{},
			&net.AddrError{Err: "LocalAddr has no address, which says the family", Addr: a.String()}
	}
	zoned, err := numericZone(ap.Addr().Unmap())
	return netip.AddrPortFrom(zoned, ap.Port()), err
}

// connectPacket makes a socket that is connected to one address.
func (d *Dialer) connectPacket(l *loop.Loop, network string, local, ap netip.AddrPort) (*PacketConn, error) {
	f, err := packetSocket(network, ap.Addr().Is6(), false)
	if err != nil {
		return nil, err
	}
	if err = l.Unwatchable(f.Sys()); err == nil {
		err = packetControl(d.Control, ap, f.Sys())
	}
	if err == nil && local.IsValid() {
		err = bindPacket(f, local)
	}
	if err == nil {
		err = connectNow(f, ap)
	}
	if err != nil {
		closeRaw(f.Take())
		return nil, err
	}
	return newPacketConn(l, network, f.Sys(), listening(f.Sys()), ap), nil
}

// connectNow connects a socket of datagrams, which takes no time.
func connectNow(f *fd.FD, ap netip.AddrPort) error {
	o := &op.Op{Code: op.Connect, FD: f, Ext: new(op.Ext)}
	o.Ext.Addr.Set(ap)
	if res := o.Attempt(); res < 0 {
		return callError("connect", res)
	}
	return nil
}
