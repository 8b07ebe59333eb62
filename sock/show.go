package sock

import (
	"net"
	"net/netip"

	"ringo/internal/census"
	"ringo/internal/handle"
)

// Show describes a connection for ringo.Loop.Handles.
func (o *connHooks) Show(i *census.HandleInfo, here bool) {
	c := (*Conn)(o)
	if here {
		i.Unread = c.in.Unread()
	}
	i.Kind, i.Network, i.Leases = "conn", "tcp", int(c.held.Load())
	if u := c.unix; u != nil {
		i.Network, i.LocalName, i.RemoteName = u.local.Net, u.local.Name, u.remote.Name
		return
	}
	if v := c.vsock(); v != nil {
		i.Network, i.LocalName, i.RemoteName = vsock, v.local.String(), v.remote.String()
		return
	}
	if i.Remote = c.raddr; c.laddr != nil {
		i.Local = c.laddr.AddrPort
	}
}

// Show describes a listener.
func (o *listenerHooks) Show(i *census.HandleInfo, here bool) {
	if here { // accepted ahead, and not yet returned by Accept
		i.Unread = o.ln.queue.len()
	}
	i.Kind, i.Network = "listener", o.ln.Addr().Network()
	switch ln := o.ln; {
	case ln.unix != nil:
		i.LocalName = ln.unix.Name
	case ln.vsock != nil:
		i.LocalName = ln.vsock.String()
	default:
		i.Local = ln.addr
	}
}

// Show describes a datagram socket.
func (o *packetHooks) Show(i *census.HandleInfo, here bool) {
	if here { // fetched, and not yet read
		i.Unread = o.c.in.unread(o.c)
	}
	i.Kind, i.Network = "packet", o.c.network
	i.Local, i.LocalName = shownAddr(o.c.laddr)
	i.Remote, i.RemoteName = shownAddr(o.c.raddr)
}

// shownAddr returns a UDP address, or the name of another one.
func shownAddr(a net.Addr) (ap netip.AddrPort, name string) {
	switch a := a.(type) {
	case nil:
	case *net.UDPAddr:
		ap = a.AddrPort()
	default:
		name = a.String()
	}
	return ap, name
}

// pollableHooks is a Pollable as the Hooks of its core; it uses only Show.
type pollableHooks struct {
	handle.NoHooks
	p *Pollable
}

// Show describes a descriptor that is not a socket.
func (o pollableHooks) Show(i *census.HandleInfo, _ bool) { i.Kind, i.LocalName = "pollable", o.p.name }
