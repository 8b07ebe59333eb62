package sock

import (
	"net"
	"net/netip"
	"sync/atomic"

	"ringo"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/timer"
)

// Conn is a connection of TCP or between Unix sockets: a net.Conn, an io.ReaderFrom and an io.WriterTo. It
// belongs to one loop, and is at its fastest in tasks of that loop; any other task
// and any goroutine may use it too, at the same time. A goroutine that has to wait
// waits as with package net. It is never used again for another connection.
//
// One caller may read while another writes; several readers, or several writers,
// take turns in order of arrival.
type Conn struct {
	*atHand // nil as long as it is a stray, see stray.go

	l  *loop.Loop
	fd fd.FD

	guests atomic.Pointer[guests]

	closing  bool
	closed   bool         // nobody uses the descriptor any more
	gone     bool         // it is closed
	lingers  atomic.Bool  // Close may wait in the kernel
	lendFrom atomic.Int32 // see SetZeroCopy
	held     atomic.Int32 // leases that users hold; they may be released anywhere

	readBy, writeBy atomic.Int64 // deadlines, of NowNS; 0: none. Guests set them, too
	value           atomic.Pointer[any]

	laddr, raddr netip.AddrPort
	ends         atomic.Pointer[tcpEnds] // made when they are first asked for
	unix         *unixEnds               // nil: a TCP connection
}

// atHand is what tasks of the loop need at a connection.
type atHand struct {
	local   *local
	handle  loop.Handle
	in      input
	out     output
	serve   serving
	closers loop.TaskList
	parting *parting // it leaves its loop, and the descriptor stays open
}

// newConn makes a connection of a descriptor.
func newConn(l *loop.Loop, sys int32) *Conn {
	n := new(struct {
		c Conn
		h atHand
	})
	n.c.l = l
	n.c.fd.Init(sys)
	n.c.bringNear(&n.h)
	n.h.in.ready = !l.Lends()
	return &n.c
}

// bringNear puts h at hand.
func (c *Conn) bringNear(h *atHand) {
	h.local = localOf(c.l)
	alarm := (*connAlarm)(c)
	h.in.timer.Owner, h.in.doubt.Owner, h.out.timer.Owner = alarm, alarm, alarm
	c.atHand = h
	c.l.Register(&h.handle, (*connHandle)(c))
}

// Loop is the loop that the connection belongs to. Any goroutine may call it.
func (c *Conn) Loop() *ringo.Loop { return (*ringo.Loop)(c.l) }

// Value is what SetValue has stored, nil at first. Any goroutine may call it.
func (c *Conn) Value() any {
	if v := c.value.Load(); v != nil {
		return *v
	}
	return nil
}

// SetValue stores something that belongs to the connection: in a Handler there is
// no stack to keep it on. Any goroutine may call it.
func (c *Conn) SetValue(v any) { c.value.Store(&v) }

// LocalAddr is the address of this end, a *net.TCPAddr or a *net.UnixAddr. Any
// goroutine may call it.
func (c *Conn) LocalAddr() net.Addr {
	if c.unix != nil {
		return &c.unix.local
	}
	return &c.tcpEnds().local
}

// RemoteAddr is the address of the peer, a *net.TCPAddr, unspecified if the peer
// had gone before the connection was accepted; or a *net.UnixAddr, whose name is "@"
// if the peer has none. Any goroutine may call it.
func (c *Conn) RemoteAddr() net.Addr {
	if c.unix != nil {
		return &c.unix.remote
	}
	return &c.tcpEnds().remote
}

// check is what each method begins with.
func (c *Conn) check(name string) error {
	if !c.l.Here() {
		return c.fail(name, stranger(c.l))
	}
	c.attend()
	if c.closing {
		c.l.Burst()
		return c.fail(name, net.ErrClosed)
	}
	return nil
}

// Close closes the connection. It waits until the operations in flight on it have
// ended, for which a task parks, also one that was cancelled; who waits in them gets
// net.ErrClosed. Closing again does nothing. Bytes from Peek are gone with it; leases
// stay. Any goroutine may call it.
func (c *Conn) Close() error {
	if !c.l.Here() {
		return c.closeAsGuest()
	}
	c.attend()
	c.serve.drain(c) // Serve's last word on it is still to come
	c.beginClose()
	c.awaitClosed()
	return nil
}

// closeAsGuest is Close for guests.
func (c *Conn) closeAsGuest() error {
	if c.l == nil {
		return errZero
	}
	g, err := c.guest()
	switch {
	case err == nil && c.closeStray(g): // also on a loop whose driver died
		return nil
	case err == net.ErrClosed || c.l.Ended():
		return nil // it is closed
	case err != nil:
		return err
	}
	return g.close(func() {
		c.attend()
		c.serve.drain(c)
		c.beginClose()
	})
}

// awaitClosed parks until the descriptor is gone.
func (c *Conn) awaitClosed() {
	if c.gone {
		return
	}
	c.closers.Push(c.l.Task())
	c.l.Park(nil)
}

// beginClose marks the connection and asks for the end of what is in flight. The
// last completion closes the descriptor.
func (c *Conn) beginClose() {
	if c.closing {
		return
	}
	c.closing = true
	c.fd.Seal()
	if !c.guests.CompareAndSwap(nil, nobody) {
		c.guests.Load().shut()
	}
	c.in.abort(c)
	c.out.abort(c)
	c.maybeClosed()
}

// maybeClosed closes the descriptor once nothing is in flight on it.
func (c *Conn) maybeClosed() {
	if !c.closing || c.closed || c.fd.Busy() || c.in.op != nil || c.guests.Load().inherit() {
		return
	}
	c.closed = true
	if c.parting != nil {
		c.parting.keep(c)
	}
	c.in.release(c)
	c.removeTimers()
	if c.parting != nil {
		c.concluded()
		return
	}
	if c.lingers.Load() {
		c.closeElsewhere()
		return
	}
	closeFD(c.l, &c.fd)
	c.concluded()
}

func (c *Conn) removeTimers() {
	c.l.RemoveTimer(&c.in.timer)
	c.l.RemoveTimer(&c.in.doubt)
	c.l.RemoveTimer(&c.out.timer)
}

// concluded tells those who wait that the descriptor is gone.
func (c *Conn) concluded() {
	c.gone = true
	c.guests.Load().concluded()
	c.l.Unregister(&c.handle)
	for t := c.closers.Pop(); t != nil; t = c.closers.Pop() {
		c.l.Ready(t)
	}
	c.serve.concluded(c)
}

// connHandle is the connection as what is open on its loop. The loop knows it by
// types of its own, such as this one, so that users don't see what is for the loop.
type connHandle Conn

// Drain is the loop's word that accepts have stopped.
func (h *connHandle) Drain() { h.serve.drainBegins((*Conn)(h)) }

// Abandon is the loop's word that it ends: whoever left the connection open is
// gone, and the driver is about to be drained.
func (h *connHandle) Abandon() {
	h.lingers.Store(false)
	(*Conn)(h).beginClose()
}

// connAlarm is the connection as the owner of its timers.
type connAlarm Conn

// Fire is the loop's word that a deadline may have passed.
func (a *connAlarm) Fire(t *timer.Timer) {
	c := (*Conn)(a)
	switch {
	case t == &c.out.timer:
		c.out.abort(c)
	case t == &c.in.doubt:
		c.in.doubted(c)
	case c.in.waiter != nil:
		c.in.wake(c)
	default:
		c.serve.expired(c)
	}
}

// try runs a plain call on the connection's descriptor.
func (c *Conn) try(o *op.Op) (int32, bool) {
	o.FD = &c.fd
	return c.l.Try(o)
}
