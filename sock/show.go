package sock

import (
	"net"
	"net/netip"

	"ringo/internal/handle"
	"ringo/internal/loop"
)

// Show tells of a connection, for ringo.Loop.Handles.
func (o *connHooks) Show(i *loop.HandleInfo) {
	c := (*Conn)(o)
	i.Kind, i.Network, i.Leases = "conn", c.network(), int(c.held.Load())
	if u := c.unix; u != nil {
		i.LocalName, i.RemoteName = u.local.Name, u.remote.Name
		return
	}
	if i.Remote = c.raddr; c.laddr != nil {
		i.Local = c.laddr.AddrPort
	}
}

// Unread is how many bytes came that nobody has read.
func (o *connHooks) Unread() int { return o.in.Unread() }

// Show tells of a listener.
func (o *listenerHooks) Show(i *loop.HandleInfo) {
	i.Kind, i.Network = "listener", o.ln.Addr().Network()
	if u := o.ln.unix; u != nil {
		i.LocalName = u.Name
	} else {
		i.Local = o.ln.addr
	}
}

// Unread is how many connections the loop has accepted that nobody has asked for.
func (o *listenerHooks) Unread() int { return o.ln.queue.len() }

// Show tells of a socket of datagrams.
func (o *packetHooks) Show(i *loop.HandleInfo) {
	i.Kind, i.Network = "packet", o.c.network
	i.Local, i.LocalName = shownAddr(o.c.laddr)
	i.Remote, i.RemoteName = shownAddr(o.c.raddr)
}

// Unread is how many bytes of datagrams were moved out of the loop's memory, and nobody has read.
func (o *packetHooks) Unread() (n int) {
	for _, d := range o.c.in.kept {
		n += len(d.bytes)
	}
	return n
}

// shownAddr is an address, or the name of one that is not of UDP.
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

// pollableHooks is a Pollable as the hooks of its core, of which it uses no others.
type pollableHooks struct {
	handle.NoHooks
	p *Pollable
}

// Show tells of a descriptor that is no socket.
func (o pollableHooks) Show(i *loop.HandleInfo) { i.Kind, i.LocalName = "pollable", o.p.name }
