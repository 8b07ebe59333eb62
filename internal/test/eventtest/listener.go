package eventtest

import (
	"net"

	"ringo/event"
	"ringo/sock"
)

// Listener is a listener of callbacks, whose methods wait.
type Listener struct {
	event.Base
	L      *event.Listener
	Got    []*Conn              // connections that no actor has accepted
	Serve  func(ec *event.Conn) // takes the connections that come, in place of Accept
	Closed bool                 // OnClose was called
	Err    error                // the error of OnClose

	b                *Actors
	acceptor, closer func()
}

// Listen listens at an address; for Unix sockets it uses package sock.
func (b *Actors) Listen(network, address string) (ln *Listener, err error) {
	if network == "tcp" {
		ln = &Listener{b: b}
		if ln.L, err = b.E.Listen(network, address, ln); err != nil {
			return nil, err
		}
		ln.L.OnClose(ln.over)
		return ln, nil
	}
	s, err := sock.Listen(b.E.Ringo(), network, address)
	if err != nil {
		return nil, err
	}
	return b.Accept(s), nil
}

// Accept gives a listener to callbacks.
func (b *Actors) Accept(s *sock.Listener) *Listener {
	ln := &Listener{b: b}
	ln.L = b.E.Accept(s, ln)
	ln.L.OnClose(ln.over)
	return ln
}

func (ln *Listener) over(err error) {
	ln.Closed, ln.Err = true, err
	Tell(&ln.acceptor)
	Tell(&ln.closer)
}

func (ln *Listener) OnOpen(ec *event.Conn) {
	if ln.Serve != nil {
		ln.Serve(ec)
		return
	}
	c := ln.b.NewConn()
	ec.SetHandler(c)
	c.OnOpen(ec)
	ln.Got = append(ln.Got, c)
	Tell(&ln.acceptor)
}

func (ln *Listener) AcceptConn() (*Conn, error) {
	for len(ln.Got) == 0 {
		if ln.Closed {
			return nil, ln.Err
		}
		ln.b.Await(&ln.acceptor)
	}
	c := ln.Got[0]
	ln.Got = ln.Got[1:]
	return c, nil
}

func (ln *Listener) Addr() net.Addr { return ln.L.Addr() }

func (ln *Listener) Close() error {
	if ln.Closed {
		return ln.Err
	}
	ln.L.Close()
	ln.L.Close()
	ln.AwaitClosed()
	return nil
}

// AwaitClosed waits until the listener ends, or Tell is called because a connection that it serves has ended.
func (ln *Listener) AwaitClosed() { ln.b.Await(&ln.closer) }

// Tell lets the caller of AwaitClosed check again.
func (ln *Listener) Tell() { Tell(&ln.closer) }
