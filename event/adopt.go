package event

import (
	"net"
	"slices"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/sock"
)

// Adopt makes a connection of one that tasks have used, of the same loop: h is called from now on, first OnOpen. What
// was received and not read it is shown, and what was written and not sent goes out first. For all others c is closed.
// Only a task may call it, no callback; it parks until the operations in flight have ended. If it fails c is as before.
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

// Detach makes a connection of package sock of this one, for tasks: what came and OnData has not used they read first,
// and what was written and not sent goes out first; of WriteThen, the functions are told that it is. OnClose is called,
// with ErrDetached. Only a task may call it, no callback, which starts one for it; it parks until the operations in
// flight have ended, and what comes meanwhile goes along. It is an error behind CloseWrite, while SendFile or ReadFull
// is at work, or while records of unixpacket wait for room; then the connection is as before. Of a connection that
// Abort ends meanwhile it is net.ErrClosed; Close does nothing meanwhile.
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
	e.l.SendNow(&c.accepted)
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
		e.l.Cancel(o.op)
	}
	for c.state != closed {
		o.waiter = e.l.Task()
		e.l.Shield()
		e.l.Park((*parting)(o))
		e.l.Unshield()
	}
	if !o.parted {
		return nil, c.opError("detach", net.ErrClosed)
	}
	return handle.Sockets.Make(e.l, *o.parts).(*sock.Conn), nil
}

// sendsFile reports whether some of what waits is a file's.
func (o *output) sendsFile() bool {
	return slices.ContainsFunc(o.pieces[o.first:], func(p piece) bool { return p.file != nil })
}

// parting is what a task in Detach waits for, which nothing ends.
type parting output

// CancelWait has the task wait on.
func (p *parting) CancelWait(t *loop.Task) { t.WaitOn(p) }

// part takes the connection apart: nothing is in flight any more.
func (c *Conn) part() {
	o := c.out
	p := o.parts
	if c.in.Any() {
		p.Unread = c.in.Take()
	}
	if p.EOF = c.in.EOF(); p.Err == 0 { // else it is that of a send
		p.Err = c.in.Err()
	}
	for o.first < len(o.pieces) {
		p.Unsent = append(p.Unsent, o.pieces[o.first].p...)
		o.count(-len(o.pieces[o.first].p))
		o.end(nil)
	}
	c.e.l.Forget(&c.fd)
	p.FD = c.fd.Take()
	o.parted = true
}
