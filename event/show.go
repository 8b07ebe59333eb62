package event

import (
	"net/netip"
	"slices"

	"ringo/internal/census"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// walk visits the loop's connections, for a list of what is open.
type walk struct {
	e    *Loop
	next *Conn
}

// Walk begins a walk through the loop's connections. Listeners and datagram sockets are package sock's, which shows
// them.
func (o *opened) Walk() census.ShownWalk {
	e := (*Loop)(o)
	w := &walk{e, e.conns.first}
	e.conns.walks = append(e.conns.walks, w)
	return w
}

// Next shows the next connection that has a descriptor.
func (w *walk) Next(i *census.HandleInfo) bool {
	for w.next != nil && w.next.fd.Sys() == none {
		w.next = w.next.next
	}
	c := w.next
	if c == nil {
		w.Drop()
		return false
	}
	w.next = c.next
	c.describe(i)
	return true
}

// Drop ends the walk.
func (w *walk) Drop() {
	walks := &w.e.conns.walks
	*walks = slices.DeleteFunc(*walks, func(o *walk) bool { return o == w })
}

// describe fills in what is known of the connection.
func (c *Conn) describe(i *census.HandleInfo) {
	i.Kind, i.State, i.FD, i.Leases = "conn", "open", c.fd.Sys(), int(c.held.Load())
	if c.state >= closing {
		i.State = "closing"
	}
	i.Network = "tcp"
	i.Local, i.LocalName = c.nameOf(i, kernel.Kernel.Getsockname)
	i.Remote, i.RemoteName = c.nameOf(i, kernel.Kernel.Getpeername)
	if c.recv != nil {
		i.In = census.UsedByLoop
	}
	i.Unread = c.in.Unread()
	if o := c.out; o != nil {
		i.Unsent = o.size
		if o.op != nil {
			i.Out = census.UsedByLoop
		}
	}
}

// nameOf asks the kernel for the address of one end.
func (c *Conn) nameOf(i *census.HandleInfo, ask func(k kernel.Kernel, s int32, name *sys.Sockaddr) int32) (
	ap netip.AddrPort, name string) {
	sa := &c.e.name
	if ask(c.e.l.Kernel(), c.fd.Sys(), sa) < 0 {
		return ap, ""
	}
	if sa.Family() == sys.AFUnix {
		if i.Network = "unix"; c.set.records {
			i.Network = records
		}
		name, _ = sa.Unix()
		return ap, name
	}
	if sa.Family() == sys.AFVsock {
		a := c.e.addr(c)
		i.Network = a.Network()
		return ap, a.String()
	}
	ap = sa.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ""
}
