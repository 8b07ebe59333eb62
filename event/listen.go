package event

import (
	"errors"
	"net"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/sock"
)

// Listener accepts connections for a Handler.
type Listener struct {
	activity
	ln   *sock.Listener
	h    Handler
	then func(error)

	network string
}

// Listen has peers connect at an address, of a network that sock.Listen takes, and h be called for them. Each loop may
// listen at an address once, beside the other loops of the Run, whose peers the kernel divides among them; a second
// listener of the same loop there is EADDRINUSE. An error is that of sock.Listen, or ErrStopped.
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

// Accept has h be called for all that connect at a listener of package sock, as of a sock.ListenerSet or a
// sock.ListenConfig with options of its own, which has to be the same loop's; nobody else should accept from it.
// Accepts are bounded, go on behind shortages and errors of single peers, and end in a drain, as with sock.Serve. A
// listener has a task that accepts, so that it keeps its loop from ending. An error that ends it is OnClose's, or where
// there is none Wait's.
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

// Addr is the address of the listener. Any goroutine may call it.
func (ln *Listener) Addr() net.Addr { return ln.ln.Addr() }

// Close stops listening. Connections that were accepted go on.
func (ln *Listener) Close() {
	ln.e.here("Listener.Close")
	ln.stop()
}

func (ln *Listener) stop() { handle.Sockets.CloseSoon(ln.ln) }

// OnClose has fn be called when the listener has ended, with an error that is net.ErrClosed after Close and in a drain,
// and ErrStopped if Accept was refused: see Loop.Stop. Its connections go on.
func (ln *Listener) OnClose(fn func(error)) {
	ln.e.here("Listener.OnClose")
	ln.then = fn
}

// closed is told that a connection is.
func (ln *Listener) closed() { handle.Sockets.Closed(ln.ln) }

// acceptor is the task that accepts, which parks between two batches of them.
type acceptor Listener

// Code is that of the handler's function.
func (a *acceptor) Code() code.Func { return acceptorCode }

var acceptorCode = code.Of((*acceptor).Run)

func init() { code.Call(acceptorCode, "event accepts") }

// Run accepts until the listener ends.
func (a *acceptor) Run() {
	e := a.e
	defer e.done(&a.activity)
	for {
		fd, err := handle.Sockets.Accept(a.ln)
		if err != nil {
			handle.Sockets.CloseSoon(a.ln)
			switch {
			case a.then != nil:
				e.call(a.then, err)
			case e.failed == nil && !errors.Is(err, net.ErrClosed) && !e.l.Stopping():
				e.failed = err
			}
			return
		}
		c := e.newConn(fd, a.h)
		c.isOf(a.network)
		c.from = (*Listener)(a)
		if e.refuses() {
			c.fail(byLoop)
		}
	}
}
