package event

import (
	"net"
	"slices"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
)

// Adopt turns a connection of package sock, of the same loop, into a Conn: h is called from now on, first OnOpen. h
// gets the bytes that were received but not read, and unsent bytes are sent first. To all other callers c is closed.
// Only a task may call it, not a callback; it parks until the operations in flight have ended. If it fails c is
// unchanged.
func (e *Loop) Adopt(c *sock.Conn, h Handler) (*Conn, error) {
	e.taskHere("Loop.Adopt")
	needHandler("Loop.Adopt", h)
	if c == nil {
		panic("event: Loop.Adopt of a nil *sock.Conn")
	}
	if (*loop.Loop)(c.Loop()) != e.l {
		return nil, errOtherLoop
	}
	network := c.LocalAddr().Network()
	p, err := handle.Sockets.Take(c)
	if err != nil {
		return nil, err
	}
	n := &Conn{e: e, h: h, set: &defaults, state: open}
	n.isOf(network)
	n.begin(p)
	n.enter()
	if e.refuses() {
		n.fail(byLoop)
	}
	return n, nil
}

// Detach turns the connection into one of package sock, for tasks. Tasks first read the bytes that OnData has not used,
// and unsent bytes are sent first; functions of WriteThen are called as if theirs were sent. OnClose is called with
// ErrDetached. Only a task may call it; a callback has to start one. It parks until the operations in flight have
// ended, and keeps bytes that arrive meanwhile. It fails after CloseWrite, during SendFile or ReadFull, and while
// records of unixpacket are unsent; then the connection is unchanged. If Abort ends the connection meanwhile it fails
// with net.ErrClosed; Close does nothing meanwhile.
func (c *Conn) Detach() (*sock.Conn, error) {
	e := c.e
	e.taskHere("Conn.Detach")
	switch {
	case c.state != open:
		return nil, c.notOpen("detach")
	case e.shown.c == c, c.flags&(finished|taking) != 0, c.out != nil && c.out.sendsFile():
		return nil, c.opError("detach", errBusy)
	case c.set.records && c.out != nil:
		return nil, c.opError("detach", errUnsent)
	}
	e.l.Outbox().SendNow(&c.accepted)
	if c.state != open {
		return nil, c.opError("detach", net.ErrClosed)
	}
	if c.out == nil {
		c.out = &output{c: c}
	}
	o := c.out
	o.parts = new(handle.Parts)
	c.flags |= leaving
	c.end(byDetach)
	if o.op != nil && !o.op.Canceled {
		e.l.Ops().Cancel(o.op)
	}
	for c.state != closed {
		o.waiter = e.l.Task()
		e.l.Park((*parting)(o))
	}
	if !o.parted {
		return nil, c.opError("detach", net.ErrClosed)
	}
	return handle.Sockets.Make(e.l, *o.parts).(*sock.Conn), nil
}

// sendsFile reports whether some of the pieces that wait are of a file.
func (o *output) sendsFile() bool {
	return slices.ContainsFunc(o.pieces[o.first:], func(p piece) bool { return p.file != nil })
}

// parting is an output as what a task in Detach waits for.
type parting output

// DescribeWait names the call.
func (p *parting) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op = "event.Conn.Detach" }

// pack moves the unsent bytes into the parts, and calls the functions of WriteThen that lent them.
func (o *output) pack() {
	for o.first < len(o.pieces) {
		p := o.pieces[o.first].p
		o.parts.Unsent = append(o.parts.Unsent, p...)
		o.count(-len(p))
		o.end(nil)
	}
}

// part takes the connection apart, once nothing is in flight any more.
func (c *Conn) part() {
	o := c.out
	p := o.parts
	if c.in.Any() {
		p.Unread = c.in.Take()
	}
	if p.EOF = c.in.EOF(); p.Err == 0 { // else it is the error of a send
		p.Err = c.in.Err()
	}
	c.e.l.Forget(&c.fd)
	p.FD, p.Linger = c.fd.Take(), c.set.linger
	o.parted = true
}
