package sock

import (
	"net"
	"net/netip"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
)

// tcpAddr makes a net.Addr; an address that isn't known is unspecified, not nil,
// so that String can always be called on it.
func tcpAddr(ap netip.AddrPort) *net.TCPAddr {
	if !ap.IsValid() {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(namedZone(ap))
}

// tcpEnds is the addresses of a connection as net.Addrs, for good: each error names them.
type tcpEnds struct{ local, remote net.TCPAddr }

func (c *Conn) tcpEnds() *tcpEnds {
	if e := c.ends.Load(); e != nil {
		return e
	}
	c.ends.CompareAndSwap(nil, &tcpEnds{*tcpAddr(c.laddr), *tcpAddr(c.raddr)})
	return c.ends.Load()
}

// nameOf asks for the address of one end of a socket. T.
func nameOf(l *loop.Loop, f *fd.FD, code op.Code) netip.AddrPort {
	return nameBy(l, callExt(l, code), f, code)
}

// nameBy is nameOf by an op of the caller's that has an Ext. G.
func nameBy(l *loop.Loop, o *op.Op, f *fd.FD, code op.Code) netip.AddrPort {
	o.FD, o.Code = f, code
	if res, ok := l.Try(o); !ok || res < 0 {
		return netip.AddrPort{}
	}
	ap := o.Ext.Addr.AddrPort()
	if ap.Addr().Is4In6() { // a v4 peer of a dual-stack socket, shown as net does
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return ap
}
