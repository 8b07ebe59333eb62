package event

import (
	"net"

	"ringo/internal/code"
	"ringo/internal/handle"
	"ringo/sock"
)

// Listener accepts connections for a Handler.
type Listener struct {
	activity
	ln   *sock.Listener
	h    Handler
	then func(error)

	records bool // its connections carry them
}

// Listen has peers connect at an address, of a network that sock.Listen takes, and h be called for them. An error is
// that of sock.Listen.
func (e *Loop) Listen(network, address string, h Handler) (*Listener, error) {
	e.here("Loop.Listen")
	ln, err := sock.Listen(e.Ringo(), network, address)
	if err != nil {
		return nil, err
	}
	return e.Accept(ln, h), nil
}

// Accept has h be called for all that connect at a listener of package sock, as of a sock.ListenerSet or a
// sock.ListenConfig with options of its own; nobody else should accept from it. Accepts are bounded, go on behind
// shortages, and end in a drain, as with sock.Serve. A listener has a task that accepts, so that it keeps its loop from
// ending.
func (e *Loop) Accept(ln *sock.Listener, h Handler) *Listener {
	e.here("Loop.Accept")
	if h == nil {
		panic("event: Loop.Accept without a Handler")
	}
	l := &Listener{activity: activity{e: e}, ln: ln, h: h, records: ln.Addr().Network() == records}
	e.begin(&l.activity, l)
	e.l.Start((*acceptor)(l))
	return l
}

// Addr is the address of the listener. Any goroutine may call it.
func (ln *Listener) Addr() net.Addr { return ln.ln.Addr() }

// Close stops listening. Connections that were accepted go on.
func (ln *Listener) Close() {
	ln.e.here("Listener.Close")
	ln.stop()
}

func (ln *Listener) stop() { handle.Sockets.CloseSoon(ln.ln) }

// OnClose has fn be called when the listener has ended, with an error that is net.ErrClosed after Close and in a drain.
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
			if a.then != nil {
				e.call(a.then, err)
			}
			return
		}
		c := e.newConn(fd, a.h)
		if a.records {
			c.carryRecords()
		}
		c.from = (*Listener)(a)
		if e.stopped {
			c.fail(byLoop)
		}
	}
}
