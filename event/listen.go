package event

import (
	"errors"
	"net"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/sock"
)

// A Listener accepts connections for a Handler.
type Listener struct {
	activity
	ln   *sock.Listener
	h    Handler
	then func(error)

	network string
}

// Listen accepts connections at an address, with a network as for sock.Listen, and calls h for them. Loops of one Run
// may share an address, and the kernel spreads the peers over them; a second listener of the same loop there fails with
// EADDRINUSE. Errors are those of sock.Listen, or ErrStopped.
func (e *Loop) Listen(network, address string, h Handler) (*Listener, error) {
	e.here("Loop.Listen")
	needHandler("Loop.Listen", h)
	if e.refuses() {
		return nil, ErrStopped
	}
	ln, err := sock.Listen(e.Ringo(), network, address)
	if err != nil {
		return nil, err
	}
	return e.Accept(ln, h), nil
}

// Accept calls h for all connections to a listener of package sock, for example one of a sock.ListenerSet, or of a
// sock.ListenConfig with options. It must belong to the same loop, and others should not accept from it. Accepting is
// bounded, continues after shortages and errors of single peers, and ends in a drain, as with sock.Serve. It runs in a
// task, which keeps the loop from ending. An error that ends it goes to the function of OnClose; without one, Wait
// returns it.
func (e *Loop) Accept(ln *sock.Listener, h Handler) *Listener {
	e.here("Loop.Accept")
	needHandler("Loop.Accept", h)
	switch {
	case ln == nil:
		panic("event: Loop.Accept of a nil *sock.Listener")
	case (*loop.Loop)(ln.Loop()) != e.l:
		panic("event: Loop.Accept of another loop's listener")
	}
	l := &Listener{activity: activity{e: e}, ln: ln, h: h, network: ln.Addr().Network()}
	if e.refuses() {
		l.stop()
		e.refuse(func() {
			if l.then != nil {
				l.then(ErrStopped)
			}
		})
		return l
	}
	e.begin(&l.activity, l)
	e.l.Start((*acceptor)(l))
	return l
}

func needHandler(method string, h Handler) {
	if h == nil {
		panic("event: " + method + " without a Handler")
	}
}

// Addr returns the listener's address. Any goroutine may call it.
func (ln *Listener) Addr() net.Addr { return ln.ln.Addr() }

// Close stops listening, and returns at once: the address is free for another listener when OnClose is called. Accepted
// connections stay open.
func (ln *Listener) Close() {
	ln.e.here("Listener.Close")
	ln.stop()
}

func (ln *Listener) stop() { handle.Sockets.CloseSoon(ln.ln) }

// OnClose sets a function that is called when the listener is closed, with net.ErrClosed after Close and in a drain,
// with ErrStopped if the loop was being stopped when Accept was called (see Loop.Stop), or with the failure. Accepted
// connections stay open.
func (ln *Listener) OnClose(fn func(error)) {
	ln.e.here("Listener.OnClose")
	ln.then = fn
}

// closed counts a connection that is closed.
func (ln *Listener) closed() { handle.Sockets.Closed(ln.ln) }

// acceptor is a listener as the task that accepts, which parks between two batches of connections.
type acceptor Listener

// Code shows all such tasks under one name.
func (a *acceptor) Code() code.Func { return acceptorCode }

var acceptorCode = code.Of((*acceptor).Run)

func init() { code.Call(acceptorCode, "event accepts") }

// Run accepts until the listener ends.
func (a *acceptor) Run() {
	e := a.e
	for {
		fd, linger, err := handle.Sockets.Accept(a.ln)
		if err != nil {
			a.ln.Close() // and wait for the end of that
			a.ended(err)
			return
		}
		c := e.newConn(fd, a.h)
		c.isOf(a.network)
		c.keepLinger(linger)
		c.from = (*Listener)(a)
		if e.refuses() {
			c.fail(byLoop)
		}
	}
}

// ended has the listener's function called, if there is one. Until that returns the listener is active.
func (a *acceptor) ended(err error) {
	e, then := a.e, a.then
	if then != nil {
		e.call(func(err error) { e.endBy(&a.activity, func() { then(err) }) }, err)
		return
	}
	if e.failed == nil && !errors.Is(err, net.ErrClosed) && !e.l.Stopping() {
		e.failed = err
	}
	e.done(&a.activity)
}
