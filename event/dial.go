package event

import (
	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/sock"
)

// none is the descriptor number of a connection that has none.
const none = -1

// Dial connects to an address. network and name look-ups are as for sock.Dial. It returns at once: h's OnOpen is called
// once the connection is established, or OnClose alone with the error of sock.Dial, or ErrNoReturn if a Dialer's
// Control did not return. Conn.Close ends the dial; nothing can be written before OnOpen.
func (e *Loop) Dial(network, address string, h Handler) *Conn {
	return e.DialBy(new(sock.Dialer), network, address, h)
}

// DialBy is like Dial, with the options of a Dialer.
func (e *Loop) DialBy(d *sock.Dialer, network, address string, h Handler) *Conn {
	e.here("Loop.Dial")
	needHandler("Loop.Dial", h)
	if d == nil {
		panic("event: Loop.DialBy of a nil *sock.Dialer")
	}
	c := &Conn{e: e, h: h, set: &defaults, state: opening}
	c.isOf(network)
	c.fd.Init(none)
	if e.refuses() {
		c.state = closed
		e.refuse(func() { c.h.OnClose(c, ErrStopped) })
		return c
	}
	c.out = &output{c: c}
	c.enter()
	c.out.task = e.l.Go(func() { c.dial(d, network, address) })
	return c
}

// dial connects, in a task: while a connection is being made it needs a stack.
func (c *Conn) dial(d *sock.Dialer, network, address string) {
	var p handle.Parts
	err := ErrNoReturn
	defer func() { c.dialed(p, err) }() // even if functions of d do not return
	made, failed := d.Dial(c.e.Ringo(), network, address)
	if failed == nil {
		p, failed = handle.Sockets.Take(made)
	}
	err = failed
}

func (c *Conn) dialed(p handle.Parts, err error) {
	c.out.task = nil
	switch {
	case err == nil && c.state == opening:
		c.out, c.state = nil, open
		c.begin(p)
		return
	case err == nil:
		handle.CloseAtOnce(c.e.l, p.FD)
	case c.state == opening:
		c.out.err = err
		c.end(byCall)
	}
	c.wake()
}

// begin makes the connection of these parts.
func (c *Conn) begin(p handle.Parts) {
	c.fd = fd.FD{}
	c.fd.Init(p.FD)
	c.keepLinger(p.Linger)
	c.flags |= toOpen
	if !c.e.l.Lends() {
		c.in.Retry()
	}
	if len(p.Unread) > 0 {
		c.flags |= unshown
	}
	c.in.Resume(&c.e.tools, p.Unread)
	c.in.End(p.EOF, p.Err)
	if len(p.Unsent) > 0 {
		(*sender)(c).Unsent(0, p.Unsent)
	}
	c.wake()
}
