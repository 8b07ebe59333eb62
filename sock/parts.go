package sock

import (
	"net/netip"

	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

func init() {
	handle.Sockets.Accept = func(ln any) (fd, linger int32, err error) { return ln.(*Listener).acceptFD() }
	handle.Sockets.CloseSoon = func(h any) {
		if c, ok := h.(*Conn); ok {
			c.core.CloseSoon()
			return
		}
		h.(*Listener).core.CloseSoon()
	}
	handle.Sockets.Closed = func(ln any) {
		n := ln.(*Listener).counts
		n.gone(ln.(*Listener).l)
		n.limits.gone(netip.Addr{})
	}
	handle.Sockets.Take = func(conn any) (handle.Parts, error) { return conn.(*Conn).takeParts() }
	handle.Sockets.Make = func(l *loop.Loop, p handle.Parts) any { return makeOf(l, p) }
	handle.Sockets.Ends = func(conn any, fn func()) { conn.(*Conn).endsBy(fn) }
	handle.Sockets.Rest = func(conn any, fn func()) bool { return conn.(*Conn).restBy(fn) }
	handle.Sockets.Peer = func(conn any) netip.AddrPort {
		at := conn.(*Conn).raddr
		if at.Addr().Zone() != "" {
			return netip.AddrPort{} // the zone here is a number, a net.Addr has its name
		}
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	handle.Sockets.Leave = func(conn any) error { return conn.(*Conn).leaveServer() }
	handle.Sockets.Served = func(l *loop.Loop, f func(any)) {
		l.Call(func() { eachServed(l, func(c *Conn) { f(c) }) })
	}
	handle.Sockets.EndRest = func(conn any) { conn.(*Conn).serve.endRest(conn.(*Conn)) }
	handle.Sockets.Packets = func(c any, news func() bool) handle.Packets { return c.(*PacketConn).packets(news) }
}

// acceptFD returns the descriptor of the next connection, without a handle, to a task of the loop.
func (ln *Listener) acceptFD() (fd, linger int32, err error) {
	if m := ln.counts.limits; m != nil && m.ConnsPerPeer > 0 {
		return 0, 0, ln.fail("accept", errPeers)
	}
	a, err := ln.core.Enter(handle.In)
	var got arrival
	if err == nil {
		got, err = ln.acceptHere()
		ln.core.Leave(a)
	}
	if err != nil {
		got, err = ln.lateFD(err)
	}
	if err != nil {
		return 0, 0, ln.fail("accept", err)
	}
	ln.counts.accepted.Add(1)
	return got.fd, ln.linger.Load(), nil
}

// takeParts takes the connection out of its handle, which is closed for all callers.
func (c *Conn) takeParts() (handle.Parts, error) {
	p, err := c.part("detach")
	if err != nil {
		return handle.Parts{}, err
	}
	if p.lost != nil {
		return handle.Parts{}, c.fail("detach", p.send(c))
	}
	return p.Parts, nil
}

// makeOf makes a connection of parts: those of one that was adopted, or that package event had.
func makeOf(l *loop.Loop, p handle.Parts) *Conn {
	c := newConn(l, p.FD)
	c.nameEnds()
	c.goOnWith(&p, nil)
	return c
}

// nameEnds asks the kernel for the addresses of both ends.
func (c *Conn) nameEnds() {
	f := c.core.FD()
	sa := &loopStateOf(c.l).name
	family := sys.AFUnspec
	if c.l.Kernel().Getsockname(f.Sys(), sa) >= 0 {
		family = sa.Family()
	}
	switch family {
	case sys.AFVsock:
		c.becomeVsock(sa, nil)
		return
	case sys.AFUnix:
		network := unixNetworkOf(c.l, f)
		c.becomeUnix(unixName(c.l, f, kernel.Kernel.Getsockname, network),
			unixName(c.l, f, kernel.Kernel.Getpeername, network))
		return
	}
	c.laddr = shared("tcp", nameOf(c.l, f, kernel.Kernel.Getsockname))
	c.raddr = nameOf(c.l, f, kernel.Kernel.Getpeername)
}

// unixNetworkOf returns the network of a Unix socket.
func unixNetworkOf(l *loop.Loop, f *fd.FD) string {
	if kind, res := l.Kernel().Getsockopt(f.Sys(), sys.SolSocket, sys.SoType); res >= 0 && kind == sys.SockSeqpacket {
		return "unixpacket"
	}
	return "unix"
}
