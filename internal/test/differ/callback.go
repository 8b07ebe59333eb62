package differ

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"ringo/buf"
	"ringo/event"
	"ringo/sock"
)

// callbacks are those of one loop: whose turn it is of the actors that they have go on, and what they did wrong.
type callbacks struct {
	e        *event.Loop
	now      *callbackWorld
	actors   int // that have not ended
	stopping bool
	refusals int // that are to be told
	errs     []error
	full     map[*eventConn]int // ReadFulls that were told in the turn
	hook     *event.Hook        // that a turn begins
	turns    int
}

// wrong notes what callbacks must not do. It fails the plan.
func (b *callbacks) wrong(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("callbacks: "+format, args...))
}

// callbackWorld is an actor's who has no task: he is an iterator that goes on in whatever callback he waits for. What
// has no callbacks a task does for him.
type callbackWorld struct {
	*ringoWorld
	b     *callbacks
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	aside bool // a task is at it
}

// begin has an actor go on in callbacks of w's loop. A task calls it.
func (b *callbacks) begin(w *ringoWorld, body func(w World)) {
	if b.e == nil {
		b.e = event.On(w.l)
		b.e.SetUnsentMax(unsentMost)
	}
	a := &callbackWorld{ringoWorld: w, b: b}
	a.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if v := recover(); v != nil {
				b.wrong("%v\n%s", v, debug.Stack())
			}
			if b.actors--; b.actors == 0 {
				b.hook.Stop()
			}
		}()
		a.yield = yield
		body(a)
	})
	if b.actors++; b.actors == 1 {
		b.full = make(map[*eventConn]int)
		b.hook = b.e.Check(func() { clear(b.full) })
		b.hook.Unref()
	}
	b.e.AfterFunc(0, a.goOn)
}

const unsentMost = 64 << 20 // as it is at first

func (a *callbackWorld) goOn() {
	before := a.b.now
	a.b.now = a
	a.next()
	a.b.now = before
}

// wait begins something, and has the actor wait until that is told.
func (a *callbackWorld) wait(begin func(told func())) {
	told, waits := false, false
	begin(func() {
		if told {
			a.b.wrong("what is to be told once is told again")
		}
		if told = true; waits {
			a.goOn()
		}
	})
	if !told {
		waits = true
		a.yield(struct{}{})
	}
}

// until waits turn by turn, as a task.
func (a *callbackWorld) until(is func() bool) {
	for first := true; first || !is(); first = false {
		a.wait(func(told func()) {
			a.l.Go(func() {
				a.l.Yield()
				told()
			})
		})
	}
}

// Aside has a task do what may wait.
func (a *callbackWorld) Aside(f func()) {
	if a.aside {
		f()
		return
	}
	a.aside = true
	defer func() { a.aside = false }()
	a.wait(func(told func()) {
		ran := false
		event.Go(a.b.e, func() (int, error) { ran = true; f(); return 7, nil }, func(v int, err error) {
			switch {
			case err == event.ErrStopped && !ran: // another's stop is not over
				a.l.Go(func() { f(); told() })
				return
			case err != nil || v != 7:
				a.b.wrong("Go is told %d, %v", v, err)
			}
			told()
		})
	})
}

func (a *callbackWorld) Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error {
	if a.aside {
		return a.ringoWorld.Within(t, d, f)
	}
	d(time.Now().Add(t))
	defer d(time.Time{})
	return f(context.Background())
}

// byCallbacks is in the place of a loop: callbacks of the actor's own are to have what is made.
const byCallbacks = -1

func (a *callbackWorld) Listen(on int, network, address string) (ln Listener, err error) {
	if on != byCallbacks {
		a.Aside(func() { ln, err = a.ringoWorld.Listen(on, network, address) })
		return ln, err
	}
	l := &eventListener{b: a.b}
	if network == "unix" {
		var s *sock.Listener
		if s, err = sock.Listen(a.l, network, address); err == nil {
			l.ln = a.b.e.Accept(s, l)
		}
	} else {
		l.ln, err = a.b.e.Listen(network, address, l)
	}
	if err != nil {
		return nil, err
	}
	l.ln.OnClose(func(err error) {
		l.closed, l.err = true, err
		tellOne(&l.acceptor)
		tellOne(&l.closer)
	})
	return l, nil
}

func (a *callbackWorld) Dial(ctx context.Context, on int, network, address string) (made Conn, err error) {
	if on != byCallbacks {
		a.Aside(func() { made, err = a.ringoWorld.Dial(ctx, on, network, address) })
		return made, err
	}
	c := &eventConn{b: a.b, unread: unreadMost}
	if c.c = a.b.e.Dial(network, address, c); ctx.Err() != nil {
		c.closing = true
		c.c.Close()
	}
	c.wait(&c.opener)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case c.closed && !c.opened:
		return nil, c.broke
	}
	return c, nil
}

func (a *callbackWorld) Serve(ln Listener, how int) (stop func() error) {
	l, own := ln.(*eventListener)
	if !own {
		return a.ringoWorld.Serve(ln, how)
	}
	l.serves, l.how = true, how
	for _, c := range l.got { // who was quick
		l.b.wrong("a connection of a server was accepted before: %v", c.LocalAddr())
	}
	return func() error {
		for !l.closed || l.opened != l.over {
			l.b.wait(&l.closer)
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

// adopt is for a task of the loop.
func (b *callbacks) adopt(s *sock.Conn) (*eventConn, error) {
	c := &eventConn{b: b, unread: unreadMost}
	return c, c.adopt(s)
}

func (c *eventConn) adopt(s *sock.Conn) (err error) {
	c.c, err = c.b.e.Adopt(s, c)
	return err
}

// turn says whether it is time for the other way.
func (b *callbacks) turn(of int) bool {
	b.turns++
	return b.turns%of == 0
}

// stop stops the loop, which closes what is given, and tries what is begun behind that: all is refused, and told so
// once if no error can be returned. What begins who is told that is told to nobody.
func (a *callbackWorld) stop(conns []*eventConn, lns []*eventListener) {
	b := a.b
	a.until(func() bool { return b.actors == 1 })
	for _, c := range conns {
		c.Flush() // the rest would be dropped
		c.closing = true
	}
	open := func() bool {
		return slices.ContainsFunc(conns, func(c *eventConn) bool { return !c.closed }) ||
			slices.ContainsFunc(lns, func(ln *eventListener) bool { return !ln.closed })
	}
	b.stopping = true
	if b.e.Stop(); open() { // else it was over at once
		b.beginRefused()
	}
	a.until(func() bool { return !open() && b.refusals == 0 })
	b.stopping = false
}

func (b *callbacks) beginRefused() {
	never := func(what string) func() { return func() { b.wrong("%s goes on behind a Stop", what) } }
	refused := func(what string) func(err error) {
		b.refusals++
		times := 0
		return func(err error) {
			b.refusals--
			if times++; times > 1 || err != event.ErrStopped {
				b.wrong("%s behind a Stop is told %v for the %dth time", what, err, times)
				return
			}
			again := never("a dial by who was refused one")
			b.e.Dial("tcp", "127.0.0.1:1", &refusedConn{b: b, told: func(error) { again() }})
			b.e.AfterFunc(0, never("a timer of who was refused something"))
		}
	}
	b.e.Dial("tcp", "127.0.0.1:1", &refusedConn{b: b, told: refused("a dial")})
	worked := refused("work")
	event.Go(b.e, func() (int, error) { never("work")(); return 0, nil }, func(_ int, err error) { worked(err) })
	b.e.AfterFunc(0, never("a timer"))
	b.e.Every(1, never("a timer"))
	b.e.Prepare(never("a hook"))
	if _, err := b.e.Listen("tcp", "127.0.0.1:0", event.Base{}); err != event.ErrStopped {
		b.wrong("a Listen behind a Stop: %v", err)
	}
}

// refusedConn is the handler of a dial behind a Stop.
type refusedConn struct {
	event.Base
	b    *callbacks
	told func(error)
}

func (r *refusedConn) OnOpen(*event.Conn)             { r.b.wrong("a dial goes on behind a Stop") }
func (r *refusedConn) OnClose(_ *event.Conn, e error) { r.told(e) }

// eventListener is a listener of callbacks.
type eventListener struct {
	event.Base
	b      *callbacks
	ln     *event.Listener
	got    []*eventConn
	closed bool
	err    error

	acceptor, closer func()
	serves           bool
	how              int
	opened, over     int
}

func (l *eventListener) OnOpen(ec *event.Conn) {
	if l.serves {
		l.opened++
		ec.SetHandler(&echo{l: l})
		return
	}
	c := &eventConn{b: l.b, unread: unreadMost}
	ec.SetHandler(c)
	c.OnOpen(ec)
	l.got = append(l.got, c)
	tellOne(&l.acceptor)
}

func (l *eventListener) Accept(bool) (Conn, error) {
	for len(l.got) == 0 {
		if l.closed {
			return nil, l.err
		}
		l.b.wait(&l.acceptor)
	}
	c := l.got[0]
	l.got = l.got[1:]
	return c, nil
}

func (l *eventListener) Addr() net.Addr              { return l.ln.Addr() }
func (l *eventListener) SetDeadline(time.Time) error { return errors.ErrUnsupported }

func (l *eventListener) Close() error {
	if l.closed {
		return l.err
	}
	l.ln.Close()
	l.ln.Close()
	l.b.wait(&l.closer)
	return nil
}

// echo answers with what comes, in one of the serveWays.
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
				h.l.b.wrong("an answer was not sent: %v", err)
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
	tellOne(&h.l.closer)
}

// wait has the actor whose turn it is wait until *slot is called.
func (b *callbacks) wait(slot *func()) {
	if *slot != nil {
		b.wrong("two wait for the same")
	}
	b.now.wait(func(told func()) { *slot = told })
}

// tellOne has who waits go on, if anybody does.
func tellOne(slot *func()) {
	if f := *slot; f != nil {
		*slot = nil
		f()
	}
}

// readFullsMost is how many ReadFulls of one connection may be told in one turn: 64 of what is there already, and some
// at its ends.
const readFullsMost = 80

func (b *callbacks) countFull(c *eventConn) {
	if b.full[c]++; b.full[c] > readFullsMost {
		b.wrong("%d ReadFulls in one turn", b.full[c])
	}
}
