package differ

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringo/buf"
	"ringo/event"
	"ringo/internal/test/eventtest"
	"ringo/sock"
)

// callbacks are the actors of one loop whose calls go on in its callbacks.
type callbacks struct {
	eventtest.Actors
	refusals int // how many refusals have yet to be reported
}

// callbackWorld is the World of an actor in callbacks. For what has no callbacks it uses a task.
type callbackWorld struct {
	*ringoWorld
	*eventtest.Actor
	b *callbacks
}

// begin starts an actor in callbacks of w's loop. A task calls it.
func (b *callbacks) begin(w *ringoWorld, body func(w World)) {
	a := &callbackWorld{ringoWorld: w, b: b}
	a.Actor = b.Begin(w.l, a, func() { body(a) })
}

// Aside makes a task run f, which may wait.
func (a *callbackWorld) Aside(f func()) { a.Actor.Aside(f) }

func (a *callbackWorld) Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error {
	if a.Aided {
		return a.ringoWorld.Within(t, d, f)
	}
	d(time.Now().Add(t))
	defer d(time.Time{})
	return f(context.Background())
}

// byCallbacks takes the place of a loop's number: what is made belongs to callbacks of the actor's own loop.
const byCallbacks = -1

func (a *callbackWorld) Listen(on int, network, address string) (ln Listener, err error) {
	if on != byCallbacks {
		a.Aside(func() { ln, err = a.ringoWorld.Listen(on, network, address) })
		return ln, err
	}
	l, err := a.b.Actors.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &eventListener{Listener: l, b: a.b}, nil
}

func (a *callbackWorld) Dial(ctx context.Context, on int, network, address string) (made Conn, err error) {
	if on != byCallbacks {
		a.Aside(func() { made, err = a.ringoWorld.Dial(ctx, on, network, address) })
		return made, err
	}
	c := a.b.newConn()
	if c.C = a.b.E.Dial(network, address, c.Conn); ctx.Err() != nil {
		c.Closing = true
		c.C.Close()
	}
	c.AwaitOpen()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case c.Closed && !c.Opened:
		return nil, c.Broke
	}
	return c, nil
}

func (a *callbackWorld) Serve(ln Listener, how int) (stop func() error) {
	l, own := ln.(*eventListener)
	if !own {
		return a.ringoWorld.Serve(ln, how)
	}
	l.Listener.Serve, l.how = l.serve, how
	for _, c := range l.Got { // clients that were quick
		l.b.Wrong("a connection of a server was accepted before: %v", c.LocalAddr())
	}
	return func() error {
		for !l.Closed || l.opened != l.over {
			l.AwaitClosed()
		}
		return nil
	}
}

// hand gives a connection to callbacks of the actor's loop, or takes it from them.
func (a *callbackWorld) hand(c Conn) (Conn, error) {
	if from, of := c.(*eventConn); of {
		s, err := from.detach(func(s *sock.Conn) (Conn, error) { return ringoConn{s}, nil })
		return s, err
	}
	s := c.(ringoConn).Conn
	var made *eventConn
	var err error
	a.Aside(func() {
		if s.Loop() != a.l {
			if s, err = s.MoveTo(a.l); err != nil {
				return
			}
		}
		made, err = a.b.adopt(s)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// adopt gives s to the callbacks. A task of the loop calls it.
func (b *callbacks) adopt(s *sock.Conn) (*eventConn, error) {
	c := b.newConn()
	return c, c.Adopt(s)
}

// stop stops the loop, which closes conns and lns, and then tries to begin further calls. Each of them must be refused:
// by an error, or, where no error can be returned, by one call with ErrStopped. What the refused callback itself begins
// must get no answer at all.
func (a *callbackWorld) stop(conns []*eventConn, lns []*eventListener) {
	b := a.b
	a.Until(func() bool { return b.Live == 1 })
	for _, c := range conns {
		c.Flush() // Stop would drop the rest
		c.Closing = true
	}
	open := func() bool {
		return slices.ContainsFunc(conns, func(c *eventConn) bool { return !c.Closed }) ||
			slices.ContainsFunc(lns, func(ln *eventListener) bool { return !ln.Closed })
	}
	b.Stopping = true
	if b.E.Stop(); open() { // otherwise the stop was over at once
		b.beginRefused()
	}
	a.Until(func() bool { return !open() && b.refusals == 0 })
	b.Stopping = false
}

func (b *callbacks) beginRefused() {
	never := func(what string) func() { return func() { b.Wrong("%s goes on behind a Stop", what) } }
	refused := func(what string) func(err error) {
		b.refusals++
		times := 0
		return func(err error) {
			b.refusals--
			if times++; times > 1 || err != event.ErrStopped {
				b.Wrong("%s behind a Stop is told %v for the %dth time", what, err, times)
				return
			}
			again := never("a dial by who was refused one")
			b.E.Dial("tcp", "127.0.0.1:1", &refusedConn{b: b, told: func(error) { again() }})
			b.E.AfterFunc(0, never("a timer of who was refused something"))
		}
	}
	b.E.Dial("tcp", "127.0.0.1:1", &refusedConn{b: b, told: refused("a dial")})
	worked := refused("work")
	event.Go(b.E, func() (int, error) { never("work")(); return 0, nil }, func(_ int, err error) { worked(err) })
	b.E.AfterFunc(0, never("a timer"))
	b.E.Every(1, never("a timer"))
	b.E.Prepare(never("a hook"))
	if _, err := b.E.Listen("tcp", "127.0.0.1:0", event.Base{}); err != event.ErrStopped {
		b.Wrong("a Listen behind a Stop: %v", err)
	}
}

// refusedConn is the handler of a dial after a Stop.
type refusedConn struct {
	event.Base
	b    *callbacks
	told func(error)
}

func (r *refusedConn) OnOpen(*event.Conn)             { r.b.Wrong("a dial goes on behind a Stop") }
func (r *refusedConn) OnClose(_ *event.Conn, e error) { r.told(e) }

// eventListener is a listener of callbacks.
type eventListener struct {
	*eventtest.Listener
	b            *callbacks
	how          int // in which of the serveWays it serves
	opened, over int
}

func (l *eventListener) serve(ec *event.Conn) {
	l.opened++
	ec.SetHandler(&echo{l: l})
}

func (l *eventListener) Accept(bool) (Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return &eventConn{c, l.b}, nil
}

func (l *eventListener) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// echo answers with what it receives, in one of the serveWays.
type echo struct {
	event.Base
	l *eventListener
}

func (h *echo) OnData(c *event.Conn, p []byte) int {
	q := append([]byte(nil), p...)
	err := event.ErrLeases
	switch h.l.how {
	case 1:
		var lease buf.Lease
		if lease, err = c.Keep(); err == nil {
			err = c.WriteLease(lease)
		}
	case 2:
		err = c.WriteThen(q, func(err error) {
			if err != nil {
				h.l.b.Wrong("an answer was not sent: %v", err)
			}
		})
	}
	if err == event.ErrLeases {
		err = c.Write(q)
	}
	switch {
	case err == event.ErrFull:
		c.Pause()
		return 0
	case err != nil:
		c.Close()
	case c.Congested():
		c.Pause()
	}
	return len(p)
}

func (h *echo) OnWritable(c *event.Conn) { c.Resume() }

func (h *echo) OnClose(*event.Conn, error) {
	h.l.over++
	h.l.Tell()
}
