package event

import (
	"net"
	"reflect"
	"strings"
	"sync/atomic"

	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
	"ringo/sock"
)

// A Conn is a TCP or Unix socket connection whose events go to a Handler. It belongs to the thread of its loop.
type Conn struct {
	e      *Loop
	h      Handler
	fd     fd.FD
	reason reason // why it ends; 0: not yet known
	flags  flags
	state  state
	held   atomic.Int32 // leases that the program holds

	// What is received, see input.go. Bytes in the connection's own memory were shown and not used, or received while
	// it was paused.
	recv *op.Op
	in   stream.In

	// What is written, see output.go.
	accepted loop.Accepted
	out      *output // nil: nothing waits for room
	set      *settings

	from       *Listener // nil: it was not accepted here
	prev, next *Conn
	value      any
}

// state is where a connection is in its life.
//
//	opening ──▶ open ──▶ closing ──▶ closed
//	   └────────────────────▲  └──▶ lingering ▲
//	                                    └─────┘
//
// closing: no more input is shown and no more output taken; written bytes are being sent, and ops ended.
// lingering: a goroutine is in close(2), which waits for the peer, as SO_LINGER asks for.
type state uint8

const (
	opening state = iota // it is being dialled
	open
	closing
	lingering
	closed
)

type flags uint16

const (
	queued     flags = 1 << iota // in the loop's queue
	toOpen                       // OnOpen is to be called
	unix                         // between Unix sockets
	endTold                      // OnEnd was called
	paused                       // no input is to be shown
	unshown                      // OnData has not been shown some of the bytes in its memory
	slow                         // the last send found too little room
	congested                    // the high-water mark was reached
	writable                     // OnWritable is to be called
	finished                     // CloseWrite was called
	taking                       // a ReadFull is under way
	leaving                      // Detach was called
	sendFailed                   // a send has failed, which is the reason of the end
	telling                      // a function is queued that must be called before OnClose
	lost                         // something that was written was not sent: the peer must not see an orderly end
)

// settings are a connection's settings. Most connections share defaults.
type settings struct {
	high, max int // bytes that wait for room
	unread    int
	unref     bool // Wait does not wait for it
	timeouts  *timeouts
	records   bool  // it carries records
	linger    int32 // as Parts.Linger: SO_LINGER was set before the connection came here, or by SyscallConn

	local, remote net.Addr // once it is closed
}

// recordDefaults are for connections of records: OnData has to use each record.
var (
	defaults       = settings{high: 64 << 10, max: 1 << 20, unread: 64 << 10}
	recordDefaults = settings{high: 64 << 10, max: 1 << 20, records: true}
)

// newConn makes a connection of a descriptor.
func (e *Loop) newConn(sys int32, h Handler) *Conn {
	c := &Conn{e: e, h: h, set: &defaults, state: open, flags: toOpen}
	if !e.l.Lends() {
		c.in.Retry()
	}
	c.fd.Init(sys)
	c.enter()
	return c
}

// isOf sets the network of a new connection.
func (c *Conn) isOf(network string) {
	if strings.HasPrefix(network, "unix") {
		c.flags |= unix
	}
	if network == records {
		c.carryRecords()
	}
}

// enter adds the connection to its loop's, and queues it, for OnOpen.
func (c *Conn) enter() {
	e := c.e
	e.conns.push(c)
	e.count(1)
	e.l.Handles().Opened(loop.KindConn)
	c.wake()
}

// wake queues the connection, so that the runner calls its callbacks.
func (c *Conn) wake() {
	if c.flags&queued == 0 {
		c.flags |= queued
		c.e.push(c)
	}
}

// run calls the callbacks that are due.
func (c *Conn) run() {
	c.flags &^= queued
	if c.flags&toOpen != 0 { // even if it has ended by now, so that programs that count get both callbacks
		c.flags &^= toOpen
		if c.state == open {
			c.begins(reads)
		}
		c.h.OnOpen(c)
	}
	if c.state == open {
		c.read()
	}
	if c.flags&writable != 0 && c.state == open {
		c.flags &^= writable
		c.h.OnWritable(c)
	}
	if t := c.set.timeouts; t != nil && t.due {
		t.tell()
	}
	if c.state == closing {
		c.finish()
	}
}

// here panics for callers that are not on the loop's thread.
func (c *Conn) here(method string) *Loop { return c.e.here(method) }

// Loop returns the loop that the connection belongs to. Any goroutine may call it.
func (c *Conn) Loop() *Loop { return c.e }

// Value returns what SetValue has stored, nil at first.
func (c *Conn) Value() any { return c.value }

// SetValue stores a value with the connection.
func (c *Conn) SetValue(v any) { c.value = v }

// Handler returns the connection's handler.
func (c *Conn) Handler() Handler { return c.h }

// SetHandler replaces the handler for later events: for connections that switch protocols. Bytes that OnData has left
// unused go to OnData of the new handler, even if no more have arrived.
func (c *Conn) SetHandler(h Handler) {
	e := c.here("Conn.SetHandler")
	if h == nil {
		panic("event: Conn.SetHandler of nil")
	}
	other := !reflect.ValueOf(h).Comparable() || h != c.h
	c.h = h
	if e.shown.c == c {
		e.shown.again, e.shown.anew = true, e.shown.anew || other
	} else if other && c.state == open && len(c.in.Mem()) > 0 {
		c.flags |= unshown
		c.wake()
	}
}

// LocalAddr asks the kernel for the address of this end, a *net.TCPAddr or a *net.UnixAddr. It returns nil if there is
// none, as before OnOpen; a closed connection keeps its address.
func (c *Conn) LocalAddr() net.Addr {
	e := c.here("Conn.LocalAddr")
	if c.state == closed || c.set.local != nil {
		return c.set.local
	}
	if e.l.Kernel().Getsockname(c.fd.Sys(), &e.name) < 0 {
		return nil
	}
	return e.addr(c)
}

// RemoteAddr returns the peer's address, as LocalAddr does for this end.
func (c *Conn) RemoteAddr() net.Addr {
	e := c.here("Conn.RemoteAddr")
	if c.state == closed || c.set.remote != nil {
		return c.set.remote
	}
	if e.l.Kernel().Getpeername(c.fd.Sys(), &e.name) < 0 && !e.askPeer(c) {
		return nil
	}
	return e.addr(c)
}

// keepAddrs keeps the addresses for callers that ask after the close, when the kernel no longer knows them.
func (c *Conn) keepAddrs() {
	if c.fd.Sys() == none {
		return
	}
	local, remote := c.LocalAddr(), c.RemoteAddr()
	s := c.own()
	s.local, s.remote = local, remote
}

// askPeer puts the address of a TCP peer into name that getpeername(2) no longer knows, for example because the peer
// has reset the connection. The kernel fails if it is asked for more bytes than it has, so both sizes are tried.
func (e *Loop) askPeer(c *Conn) (ok bool) {
	for _, size := range []int{sockaddrInet6, sockaddrInet4} {
		name := make([]byte, size)
		if e.l.Kernel().GetsockoptBytes(c.fd.Sys(), sys.SolSocket, sys.SoPeername, name) == int32(size) {
			e.name.SetBytes(name)
			return true
		}
	}
	return false
}

// The sizes of struct sockaddr_in6 and struct sockaddr_in.
const (
	sockaddrInet6 = 28
	sockaddrInet4 = 16
)

// addr returns the address that the kernel has put into name.
func (e *Loop) addr(c *Conn) net.Addr {
	if e.name.Family() == sys.AFUnix {
		name, _ := e.name.Unix()
		if name == "" {
			name = "@"
		}
		network := "unix"
		if c.set.records {
			network = records
		}
		return &net.UnixAddr{Name: name, Net: network}
	}
	if e.name.Family() == sys.AFVsock {
		a := new(sock.VsockAddr)
		a.CID, a.Port = e.name.Vsock()
		return a
	}
	ap := e.name.AddrPort()
	return &net.TCPAddr{IP: ap.Addr().Unmap().AsSlice(), Port: int(ap.Port()), Zone: ap.Addr().Zone()}
}

// opError returns an error of the connection in package net's shape.
func (c *Conn) opError(name string, err error) error {
	network, local := "tcp", c.LocalAddr()
	if a, is := local.(*sock.VsockAddr); is {
		network = a.Network()
	}
	switch {
	case c.set.records:
		network = records
	case c.flags&unix != 0:
		network = "unix"
	}
	return &net.OpError{Op: name, Net: network, Source: local, Addr: c.RemoteAddr(), Err: err}
}

// notOpen returns the error of a call on a connection that is not open yet, or no longer.
func (c *Conn) notOpen(name string) error {
	if c.state == opening {
		return c.opError(name, errNotOpen)
	}
	return c.opError(name, net.ErrClosed)
}

// Close ends the connection, and returns at once: the handler gets no more data, written bytes are sent, then the
// descriptor is closed and OnClose is called. If the peer takes none of them for a minute, or for the write timeout of
// SetTimeouts if there is one, what is left is dropped as by Abort, and OnClose gets os.ErrDeadlineExceeded. A peer
// that takes a little now and then can make that last: Abort, Loop.Stop and the end of ringo.Config.Grace end it.
// Closing again does nothing.
func (c *Conn) Close() {
	c.here("Conn.Close")
	c.end(byCall)
}

// Abort is like Close, but drops unsent bytes. If there are any, a TCP connection is reset, as whenever unsent bytes
// are dropped, so that the peer does not take what it has got for the whole. While Detach is under way Close does
// nothing, since a task is about to own the connection; Abort ends it, and makes Detach fail.
func (c *Conn) Abort() {
	c.here("Conn.Abort")
	c.end(byCall)
	if c.state == closing && c.flags&leaving != 0 {
		c.flags &^= leaving
		c.reason = byCall
		c.dropInput()
	}
	if c.state == closing {
		c.e.l.Outbox().SendNow(&c.accepted)
		c.dropOutput(net.ErrClosed)
		c.wake()
	}
}

// end begins the end of the connection.
func (c *Conn) end(why reason) {
	if c.state >= closing {
		return
	}
	c.state, c.reason = closing, why
	c.fd.Seal()
	if c.recv != nil && !c.recv.Canceled {
		c.e.l.Ops().Cancel(c.recv)
	}
	if c.state == closing && c.out != nil && len(c.out.pieces) == 0 {
		c.out.task.Cancel() // the task of a dial
	}
	if c.flags&leaving == 0 {
		c.dropInput()
	}
	c.wake()
}

// fail ends the connection, and drops unsent bytes. If there are any, that is the reason, even after Close.
func (c *Conn) fail(why reason) {
	c.end(why)
	if c.state == lingering {
		c.lingered()
	}
	if c.state == closing && c.flags&leaving == 0 {
		c.e.l.Outbox().SendNow(&c.accepted) // what has no room is dropped with the rest
		if c.reason == byCall && c.out != nil && c.out.drop == nil && c.out.waiting() > 0 {
			c.reason = why
		}
		c.dropOutput(c.why())
		c.wake()
	}
}

// broke ends the connection because one of its callbacks did not return.
func (c *Conn) broke() {
	if c.state == closing && c.reason == byCall {
		c.reason = byPanic
	}
	c.fail(byPanic)
}

// finish continues the end of the connection, and closes it once nothing is in flight any more.
func (c *Conn) finish() {
	l := c.e.l
	l.Outbox().SendNow(&c.accepted)
	if c.out != nil && !c.out.over() {
		if c.flags&leaving == 0 {
			c.out.linger()
		}
		return // its end wakes the connection again
	}
	if c.recv != nil || c.fd.Busy() {
		return // likewise
	}
	if c.flags&leaving != 0 {
		c.out.pack()
	}
	if c.flags&telling != 0 { // behind those
		c.flags &^= telling
		c.wake()
		return
	}
	c.keepAddrs()
	if c.flags&leaving != 0 {
		c.part()
	}
	c.leaveFilling()
	if n := c.fd.Sys(); n != none && c.set.linger > 1 && !c.hasLost() && !c.e.refuses() {
		c.state = lingering
		l.Forget(&c.fd)
		handle.CloseLingering(l, c.fd.Take(), func() {}, c.lingered)
		return
	}
	why := c.why()
	c.release()
	c.h.OnClose(c, why)
}

// lingered ends the wait for a close(2) that lingers.
func (c *Conn) lingered() {
	if c.state == lingering {
		c.state = closing
		c.wake()
	}
}

// hasLost reports whether something that was written is not sent.
func (c *Conn) hasLost() bool {
	o := c.out
	return c.flags&lost != 0 || o != nil && (o.first < len(o.pieces) || o.parts != nil && len(o.parts.Unsent) > 0)
}

// closeFD closes the descriptor, and waits for nothing.
func (c *Conn) closeFD() {
	switch k, n := c.e.l.Kernel(), c.fd.Sys(); {
	case n == none:
		return
	case c.hasLost():
		k.SetLinger(n, 0)
	case c.set.linger > 1:
		k.SetLinger(n, -1)
	}
	c.e.l.CloseFD(&c.fd)
}

// release closes the descriptor, and removes the connection from its loop.
func (c *Conn) release() {
	e := c.e
	c.state = closed
	if c.out != nil {
		c.out.release()
	}
	if t := c.set.timeouts; t != nil {
		e.l.Timers().Remove(&t.t)
	}
	e.rechecks.Drop((*receiver)(c))
	c.closeFD()
	e.l.Handles().Closed(loop.KindConn)
	if c.from != nil {
		c.from.closed()
	}
	delete(e.fillings, c)
	e.conns.remove(c)
	if !c.set.unref {
		e.count(-1)
	}
}

// Unref makes Loop.Wait, and with it Run, not wait for the connection: once nothing else is active the loop is stopped.
// It is for connections such as a client's idle ones. Everything else stays as it is.
func (c *Conn) Unref() {
	if e := c.here("Conn.Unref"); c.state != closed && !c.set.unref {
		c.own().unref = true
		e.count(-1)
		e.settle()
	}
}

// Ref undoes Unref.
func (c *Conn) Ref() {
	if e := c.here("Conn.Ref"); c.state != closed && c.set.unref {
		c.set.unref = false
		e.count(1)
	}
}

// abandon closes a connection at the end of its loop, without callbacks. If an op is in flight, its end closes it.
func (c *Conn) abandon() {
	if c.recv == nil && (c.out == nil || c.out.over()) && !c.fd.Busy() && c.state != closed {
		c.e.l.Outbox().SendNow(&c.accepted)
		c.release()
	}
}

// settle is called when something in flight has ended.
func (c *Conn) settle() {
	if c.e.l.Ending() {
		c.abandon()
		return
	}
	c.wake()
}

// list is a list of connections.
type list struct {
	first *Conn
	walks []*walk // that are under way
}

func (l *list) push(c *Conn) {
	c.prev, c.next = nil, l.first
	if l.first != nil {
		l.first.prev = c
	}
	l.first = c
}

func (l *list) remove(c *Conn) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	for _, w := range l.walks {
		if w.next == c {
			w.next = c.next
		}
	}
	c.prev, c.next = nil, nil
}
