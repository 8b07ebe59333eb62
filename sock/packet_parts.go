package sock

import (
	"net/netip"

	"ringo/internal/dial"
	"ringo/internal/handle"
)

// packetEvents is a datagram socket as package event uses it.
type packetEvents PacketConn

// packets gives the socket to package event, and calls news when datagrams have come. See handle.Sockets.
func (c *PacketConn) packets(news func() bool) handle.Packets {
	c.in.news = news
	return (*packetEvents)(c)
}

// Next returns the next datagram; joined ones are returned one by one. Its memory is not used again until Next is
// called for this or another socket of the loop, even if datagrams are read, moved or closed meanwhile.
func (v *packetEvents) Next(to *handle.Datagram) (bool, error) {
	c := (*PacketConn)(v)
	c.local.takeBackShown()
	if err := c.in.state(&c.packet); err != nil {
		return false, c.fail("read", err)
	}
	d := c.in.head(&c.packet, true)
	if d == nil && c.in.ready {
		if res, ok := c.fetch(nil); !ok {
			return false, nil
		} else if res < 0 {
			return false, c.fail("read", callError("recvmmsg", res))
		}
		d = c.in.head(&c.packet, true)
	}
	if d == nil {
		return false, nil
	}
	p := d.bytes
	if d.segment > 0 {
		p = p[:min(len(p), d.segment)]
	}
	*to = handle.Datagram{Bytes: p[:len(p):len(p)], Control: d.control, From: dial.NamedZone(d.from),
		Flags: int(d.flags)}
	c.in.shows(&c.packet)
	if d.bytes = d.bytes[len(p):]; len(d.bytes) == 0 {
		c.in.pop(&c.packet, true)
	}
	return true, nil
}

// Arm makes sure that news will come.
func (v *packetEvents) Arm() error {
	c := (*PacketConn)(v)
	c.in.unasked = 0
	c.in.arm(&c.packet)
	if err := c.in.state(&c.packet); err != nil {
		return c.fail("read", err)
	}
	return nil
}

// TrySend sends a datagram if there is room.
func (v *packetEvents) TrySend(p []byte, to netip.AddrPort) (bool, error) {
	c := (*PacketConn)(v)
	m := sendmsg{p: p, named: to.IsValid() || !c.connected, to: to}
	err := c.core.State(handle.Out)
	if err == nil && m.named {
		err = c.suit(&m)
	}
	if err != nil {
		return false, c.failTo(&m, err)
	}
	o := &c.local.packets().send
	m.fill(o)
	res, ok := c.try(o)
	unfill(o)
	switch {
	case !ok:
		return false, nil
	case res < 0:
		return false, c.failTo(&m, callError("sendto", res))
	}
	return true, nil
}

// CloseSoon begins to close the socket.
func (v *packetEvents) CloseSoon() { v.core.CloseSoon() }

// Closed reports whether the socket is closed, or about to be with nothing under way.
func (v *packetEvents) Closed() bool { return v.core.Settled() }
