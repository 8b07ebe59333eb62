package sock

import (
	"net"
	"net/netip"
	"sync/atomic"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// A Conn is a TCP or Unix socket connection: a net.Conn, an io.ReaderFrom and an io.WriterTo. It belongs to one loop,
// and is fastest in tasks of that loop; other tasks and goroutines may use it too, at the same time. Goroutines wait as
// with package net. A Conn is never reused for another connection.
//
// One caller may read while another writes; several readers, or several writers,
// take turns in order of arrival.
type Conn struct {
	*atHand // nil as long as it is detached

	l    *loop.Loop
	core handle.Core

	lendFrom atomic.Int32 // see SetZeroCopy
	accepts  atomic.Int32 // writes of up to so many bytes are accepted, see SetBatching
	held     atomic.Int32 // leases that the program holds; any goroutine may release them
	moves    atomic.Bool  // the task that moves it keeps its place under Limits, see keepPlace
	value    atomic.Pointer[any]

	laddr *ownAddr // nil: not known; others may share it
	raddr netip.AddrPort
	ends  atomic.Pointer[tcpEnds] // made by the first call that asks for them
	unix  *unixEnds               // of a connection between Unix sockets
}

// atHand is the part of a connection that only tasks of its loop need.
type atHand struct {
	own         handle.Own
	local       *loopState
	in          input
	serve       serving
	detachState *detachState // set when it leaves its loop and the descriptor stays open
}

// newConn makes a connection of a descriptor.
func newConn(l *loop.Loop, sys int32) *Conn {
	n := new(struct {
		c Conn
		h atHand
	})
	c := &n.c
	c.l = l
	c.accepts.Store(c.acceptsAtFirst())
	c.equip(&n.h)
	c.core.Init(l, (*connHooks)(c), loop.KindConn, sys, &n.h.own)
	if !l.Lends() {
		c.in.Retry()
	}
	return c
}

// newDetached makes a connection of a descriptor for foreign callers; the caller must call detach next.
func newDetached(l *loop.Loop, sys int32) *Conn {
	c := &Conn{l: l}
	c.accepts.Store(c.acceptsAtFirst())
	c.core.InitDetached(l, (*connHooks)(c), loop.KindConn, sys)
	return c
}

// detach gives a new connection to the foreign callers for whom it was made.
func (c *Conn) detach() {
	var in stream.In
	if c.atHand != nil {
		c.in.release(c, &in)
		c.local.rechecks.Drop((*inputSink)(c))
		c.atHand = nil
	}
	c.core.Detach(&loopStateOf(c.l).detached, in)
}

// equip attaches h, the part that tasks of the loop need.
func (c *Conn) equip(h *atHand) {
	h.local = loopStateOf(c.l)
	c.atHand = h
}

// Loop returns the loop that the connection belongs to. Any goroutine may call it.
func (c *Conn) Loop() *ringo.Loop { return (*ringo.Loop)(c.l) }

// Value returns what SetValue has stored, nil at first. Any goroutine may call it.
func (c *Conn) Value() any {
	if v := c.value.Load(); v != nil {
		return *v
	}
	return nil
}

// SetValue stores a value with the connection, such as state that a Handler needs across requests. Any goroutine may
// call it.
func (c *Conn) SetValue(v any) { c.value.Store(&v) }

// LocalAddr returns the address of this end, a *net.TCPAddr, a *net.UnixAddr or a *VsockAddr. Any goroutine may call
// it.
func (c *Conn) LocalAddr() net.Addr {
	if c.unix != nil {
		return &c.unix.local
	}
	if v := c.vsock(); v != nil {
		return &v.local
	}
	return &c.tcpEnds().local
}

// RemoteAddr returns the address of the peer: a *net.TCPAddr, unspecified if the peer had gone before the connection
// was accepted, a *net.UnixAddr, whose name is "@" if the peer has none, or a *VsockAddr. Any goroutine may call it.
func (c *Conn) RemoteAddr() net.Addr {
	if c.unix != nil {
		return &c.unix.remote
	}
	if v := c.vsock(); v != nil {
		return &v.remote
	}
	return &c.tcpEnds().remote
}

// Close closes the connection. Calls in flight return net.ErrClosed, a Write with the count of bytes sent; Close waits
// until they have released the descriptor. A task parks, even if it is cancelled. Written bytes are still sent, see
// SetLinger. Close returns the error of a buffered write (see Write) that failed, if no other call has returned it.
// Closing again waits for the first Close and returns net.ErrClosed; the first returns nil even if the connection was
// closed in another way before. Bytes from Peek become invalid; leases stay valid. Any goroutine may call it.
func (c *Conn) Close() error {
	err := c.core.Close()
	switch {
	case err == nil, c.l == nil:
		return err
	case err == net.ErrClosed:
		return c.fail("close", err)
	}
	return c.fail("write", err)
}

// CloseSoon starts a Close without waiting for it; it never parks. Later calls fail, calls in flight end, and once they
// have released the descriptor it is closed. For a task of the connection's loop this has begun when CloseSoon returns;
// for other callers it begins a little later. A Close after it waits for the end and returns the error. Any goroutine
// may call it, repeatedly too.
func (c *Conn) CloseSoon() {
	if c.l != nil {
		c.core.CloseSoon()
	}
}

// connHooks is the connection as the Hooks of its core.
type connHooks Conn

// DescribeWait names the peer.
func (o *connHooks) DescribeWait(_ handle.Dir, d *loop.Wait) {
	if d.Peer = o.raddr; !(*Conn)(o).tcp() {
		d.PeerAt = (*Conn)(o).RemoteAddr()
	}
}

// Attach makes the part that tasks of the loop need, for a connection that was detached.
func (o *connHooks) Attach() *handle.Own {
	h := new(atHand)
	(*Conn)(o).equip(h)
	return &h.own
}

// Release hands the input, with its unread bytes, to the foreign callers.
func (o *connHooks) Release(to *stream.In) { o.in.release((*Conn)(o), to) }

// Acquire takes the input back from them.
func (o *connHooks) Acquire(from *stream.In) { o.in.acquire((*Conn)(o), from) }

// Holds reports whether bytes are unread.
func (o *connHooks) Holds(in *stream.In) bool {
	if in == nil {
		in = &o.in.In
	}
	return in.Any()
}

// Rests reports whether Serve waits for input without a task.
func (o *connHooks) Rests() bool { return o.serve.resting() }

// Expired is called when the read deadline passes while Rests is true.
func (o *connHooks) Expired() { o.serve.expired((*Conn)(o)) }

// SendFailed fails the input too: a reader would wait for the answer to a request that the peer never gets.
func (o *connHooks) SendFailed(res int32) {
	if in := &o.in; !in.Over() && !o.core.Own(handle.In).Lent() {
		in.Fail(res)
		in.wake((*Conn)(o))
	}
}

// Tell passes events on to Serve, and gives up what the connection holds.
func (o *connHooks) Tell(e handle.Event) {
	c := (*Conn)(o)
	switch e {
	case handle.Draining:
		c.serve.drainBegins(c)
	case handle.Closing:
		if c.atHand == nil {
			break
		}
		c.serve.tellEnd(c)
		if c.detachState != nil { // its Handler learns of the end even if the connection rests
			c.serve.drain(c)
		}
	case handle.CloseCalled: // the Handler's Closed is still to be called
		c.serve.drain(c)
	case handle.Settled:
		c.settled()
	case handle.Uncounted:
		if n := c.acceptedBy(); n != nil {
			n.gone(c.l)
			if n.limits != nil && !c.moves.Swap(false) {
				c.leavePlace()
			}
		}
	case handle.Closed:
		if c.atHand != nil {
			c.serve.fdClosed(c)
		}
	}
}

// settled drops the unread bytes, or keeps them for Detach and MoveTo.
func (c *Conn) settled() {
	if c.detachState != nil {
		c.detachState.keep(c)
	}
	c.in.skip(c, c.in.Unread())
	c.local.rechecks.Drop((*inputSink)(c))
}

// try runs a plain call on the connection's descriptor, in a task of the loop.
func (c *Conn) try(o *op.Op) (int32, bool) { return c.core.Try(o) }

// plain makes a system call that needs no access and never waits. Any caller.
func (c *Conn) plain(name string, call kernelCall) (int32, error) {
	res, err := c.core.Ask(callName(name), call)
	return res, c.failed(name, err)
}

// enterRead waits for access to the input.
func (c *Conn) enterRead() (handle.Access, error) {
	a, err := c.core.Enter(handle.In)
	if err != nil {
		return a, c.fail("read", err)
	}
	if a.Own() {
		c.beginRead()
	}
	return a, nil
}

// beginRead is the start of every read by a task of the loop: it charges the call and resets what the last read left.
func (c *Conn) beginRead() {
	if c.in.Any() {
		c.l.ChargeCheap()
	} else {
		c.l.Charge()
	}
	c.in.peeked, c.in.looked = false, false
	if c.records() {
		c.in.beginRecord()
	}
}

// enterOutput waits for access to the output. Accepted bytes may still be unsent when it returns.
func (c *Conn) enterOutput() (handle.Access, error) {
	a, err := c.core.Enter(handle.Out)
	if err != nil {
		return a, c.fail("write", err)
	}
	if a.Own() {
		if err := c.mayGoOn(); err != nil {
			c.core.Leave(a)
			return a, c.fail("write", err)
		}
	}
	return a, nil
}

// enterWrite is enterOutput for callers that send by other means than Core.Accept: accepted bytes are sent first.
func (c *Conn) enterWrite() (handle.Access, error) {
	a, err := c.enterOutput()
	if err != nil || !a.Own() {
		return a, err
	}
	if err = c.flush(); err != nil {
		c.core.Leave(a)
		err = c.fail("write", err)
	}
	return a, err
}

// flush sends what was accepted, for a task of the loop that has access and is about to send by other means.
func (c *Conn) flush() error {
	c.core.Spends()
	c.core.Push()
	if !c.core.Owes() {
		return nil
	}
	c.in.stall(c)
	return c.core.Flush()
}

// mayGoOn charges a call, yields if the budget is used up, and returns the error if a writer of the owner must stop.
func (c *Conn) mayGoOn() error {
	alive := c.l.ChargeAndYield()
	switch {
	case c.core.Closing():
		return net.ErrClosed
	case !alive:
		return c.l.Cause()
	}
	return nil
}
