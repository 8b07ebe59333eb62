package sock

import (
	"net"
	"net/netip"

	"ringo/internal/dial"
	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// tcpAddr returns a TCP address, never nil.
func tcpAddr(ap netip.AddrPort) *net.TCPAddr { return dial.TCPAddr(ap) }

// asNet returns the results of a read with the sender as a net.Addr, which is nil for none.
func asNet[A interface {
	comparable
	net.Addr
}](n int, from A, err error) (int, net.Addr, error) {
	var none A
	if from == none {
		return n, nil, err
	}
	return n, from, err
}

// writeAs sends a datagram to an address of a type, by the socket's method for that, or fails.
func writeAs[A net.Addr](c *packet, p []byte, to net.Addr, write func([]byte, A) (int, error)) (int, error) {
	a, ok := to.(A)
	if !ok {
		return 0, c.failTo(&sendmsg{dst: to}, errWrongAddress)
	}
	return write(p, a)
}

// tcpEnds is the addresses of a connection as net.Addrs. They are kept, because each error names them.
type tcpEnds struct{ local, remote net.TCPAddr }

func (c *Conn) tcpEnds() *tcpEnds {
	if e := c.ends.Load(); e != nil {
		return e
	}
	var local netip.AddrPort
	if c.laddr != nil {
		local = c.laddr.AddrPort
	}
	c.ends.CompareAndSwap(nil, &tcpEnds{*tcpAddr(local), *tcpAddr(c.raddr)})
	return c.ends.Load()
}

// nameCall asks for the address of one end of a socket: getsockname(2) or getpeername(2).
type nameCall = func(k kernel.Kernel, fd int32, sa *sys.Sockaddr) int32

// nameOf returns the address of one end of a socket. T.
func nameOf(l *loop.Loop, f *fd.FD, ask nameCall) netip.AddrPort {
	return nameBy(l, &loopStateOf(l).name, f.Sys(), ask)
}

// nameBy is nameOf with sa as the memory for the call. G.
func nameBy(l *loop.Loop, sa *sys.Sockaddr, s int32, ask nameCall) netip.AddrPort {
	if ask(l.Kernel(), s, sa) < 0 {
		return netip.AddrPort{}
	}
	ap := sa.AddrPort()
	if ap.Addr().Is4In6() { // an IPv4 peer of a dual-stack socket, shown as package net does
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return ap
}
