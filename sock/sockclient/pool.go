package sockclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/caller"
	"ringo/internal/loop"
	"ringo/internal/perloop"
	"ringo/sock"
)

// A Pool has connections to one server, each loop its own: a request uses a connection of its loop, with no lock in
// between. Tasks of any loop and ordinary goroutines can share one. The fields must not be changed once it is used, nor
// the Pool copied.
type Pool struct {
	// Dial makes a connection of the loop l, as sock.Dialer does, including TLS, a greeting or a login if the protocol
	// has them. It is called in Get, or in a task of the loop for connections of Ahead. Dial has to end with ctx.
	//
	// An object that a protocol's client makes of a connection, such as a driver's session, has to be a net.Conn with
	// two or three methods: NetConn() net.Conn, by which the Pool finds the connection below and watches it at rest;
	// Close, which ends both, in a task of the loop or, once that has ended, for the caller of Shutdown; and Reusable()
	// bool, by which Do asks whether another user may have it. Shutdown ends a session's own resources, such as
	// goroutines.
	Dial func(ctx context.Context, l *ringo.Loop) (net.Conn, error)
	// Max is how many connections a loop has at most, in use and at rest. More calls of Get wait in line. 0: there is
	// no limit.
	Max int
	// MaxIdle is how many of them are kept at rest, or Ahead if that is more; 0: 2, less: none. Get returns the one
	// that was used last, so that the others can grow old.
	MaxIdle int
	// Ahead is how many are made in advance: when a Get leaves fewer than that at rest, more are made, up to Max in
	// all. If a Dial fails, or takes more than ten seconds, the next Get begins another.
	Ahead int
	// IdleTimeout is how long a connection is kept at rest; 0: as long as the server keeps it.
	IdleTimeout time.Duration
	// MaxAge is how long a connection is used; 0: there is no limit. Each connection gets up to a tenth less, so that
	// connections made together do not end together.
	MaxAge time.Duration
	// Check is called before Get returns a connection that was at rest for CheckAfter or longer; an error ends the
	// connection, and the next is tried. It may wait, but for five seconds at most. Get never returns a connection once
	// the loop knows that the server has closed it, or that bytes have come; the loop learns this within a turn,
	// without a read. So Check is for servers that died silently; and a request may meet an end that has just come: for
	// that there is package retry. nil: no check.
	Check      func(c net.Conn) error
	CheckAfter time.Duration

	loops  perloop.Values[poolOfLoop]
	closed atomic.Bool     // by Shutdown
	open   ringo.WaitGroup // connections, until they are closed
}

// checkMax is how long a Check may take, and aheadMax a Dial ahead; idleMax is the default of MaxIdle.
const (
	checkMax = 5 * time.Second
	aheadMax = 10 * time.Second
	idleMax  = 2
)

// poolOfLoop is what a loop has of a Pool.
type poolOfLoop struct {
	l      *ringo.Loop
	idle   *atrest.Pool[struct{}, *pooled]
	places *ringo.Semaphore // nil: there is no limit

	mu      sync.Mutex
	all     map[*pooled]struct{}
	made    int
	open    int // and in the making
	getting int // calls of Get that may make one
	ahead   int // those of Ahead in the making
	closed  int // calls of CloseIdle: what was begun before is not kept
}

// A Conn is a connection of a Pool in use. Its user owns it until Close or Release, and must not use it after that.
type Conn struct {
	net.Conn
	c    *pooled
	over atomic.Bool // it was given back, or closed
}

// pooled is a connection.
type pooled struct {
	net.Conn
	at    atrest.Conn[struct{}, *pooled]
	of    *Pool
	by    *poolOfLoop
	until time.Time // by MaxAge; zero: for ever
	nth   int       // of those that its loop has made
	gone  atomic.Bool
}

// errNoDial is the error of a Pool that can't make connections, errPoolClosed that of one that makes none any more.
var (
	errNoDial     = errors.New("sockclient: Pool.Dial is nil")
	errPoolClosed = fmt.Errorf("sockclient: the Pool is closed: %w", net.ErrClosed)
)

// Get returns a connection of the loop l for one user: one at rest, or a new one. At Max it waits until one is given
// back or closed: a task parks, a goroutine blocks. It also returns when ctx is done, and in a task when that is
// cancelled or its Loop.WithTimeout or WithContext ends, with an error that matches that of ringo.Mutex.LockContext, or
// Dial's; after Shutdown with one that matches net.ErrClosed. A nil ctx never ends. A task may call it for its own
// loop, and any goroutine for any loop.
func (p *Pool) Get(ctx context.Context, l *ringo.Loop) (*Conn, error) {
	if p.Dial == nil {
		return nil, errNoDial
	}
	if p.closed.Load() {
		return nil, errPoolClosed
	}
	if err := caller.Ended(ctx); err != nil {
		return nil, err
	}
	by, err := p.of(l)
	if err != nil {
		return nil, err
	}
	if by.places != nil {
		if err := by.places.Acquire(ctx, 1); err != nil {
			return nil, fmt.Errorf("sockclient: waiting for one of %d connections: %w", p.Max, err)
		}
	}
	by.count(0, 1)
	var c *pooled
	defer func() {
		by.count(0, -1)
		if c == nil { // also if Dial or Check panics
			by.leave()
		}
		p.goAhead(by)
	}()
	if c, err = p.atRest(ctx, by); c == nil && err == nil {
		by.count(1, 0)
		c, err = p.dial(ctx, by)
	}
	if err != nil {
		return nil, err
	}
	c.at.Greets = false
	return &Conn{Conn: c.Conn, c: c}, nil
}

// count adds to what is counted.
func (by *poolOfLoop) count(open, getting int) {
	by.mu.Lock()
	defer by.mu.Unlock()
	by.open += open
	by.getting += getting
}

// leave gives a place back.
func (by *poolOfLoop) leave() {
	if by.places != nil {
		by.places.Release(1)
	}
}

// of is what a loop has of the Pool.
func (p *Pool) of(l *ringo.Loop) (*poolOfLoop, error) {
	e := (*loop.Loop)(l)
	if here, _ := loop.Current(); here != nil && here != e {
		return nil, errStranger
	}
	if e == nil || e.Ended() {
		return nil, ringo.ErrEnded
	}
	if by := p.loops.Of(e); by != nil {
		return by, nil
	}
	by := &poolOfLoop{l: l, all: map[*pooled]struct{}{}}
	by.idle = atrest.New[struct{}](l, 0, p.IdleTimeout, (*pooled).end)
	if p.Max > 0 {
		by.places = ringo.NewSemaphore(int64(p.Max))
	}
	return p.loops.Begin(e, by, (*poolOfLoop).closeIdle), nil
}

var errStranger = errors.New("sockclient: Pool.Get for another loop than the task's own")

// atRest is a connection that was at rest and is good; nil: there is none. The error is the caller's end.
func (p *Pool) atRest(ctx context.Context, by *poolOfLoop) (*pooled, error) {
	for {
		c, since, ok := by.idle.Take(struct{}{})
		if !ok || p.isGood(ctx, c, since) {
			return c, nil
		}
		if err := caller.Ended(ctx); err != nil { // by which a Check has failed
			return nil, err
		}
	}
}

// isGood reports whether a connection may be given that was at rest, or ends it.
func (p *Pool) isGood(ctx context.Context, c *pooled, since time.Time) (good bool) {
	defer func() {
		if !good { // also if Check panics
			c.end()
		}
	}()
	switch idle := c.by.now().Sub(since); {
	case c.isOld(), c.by.idle.Late(since), c.at.Greets && c.at.Own != nil && !c.at.Open():
		return false
	case p.Check == nil || idle < p.CheckAfter:
		return true
	}
	_, err := caller.Within(ctx, checkMax, func(ctx context.Context) error {
		if l := caller.Here(); l != nil {
			return p.Check(c.Conn)
		}
		defer c.SetDeadline(time.Time{})
		// No context ends a goroutine's calls.
		stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
		err := p.Check(c.Conn)
		if !stop() {
			return context.Cause(ctx)
		}
		return err
	})
	return err == nil
}

// now is the time of the loop's clock.
func (by *poolOfLoop) now() time.Time { return (*loop.Loop)(by.l).Clock() }

// isOld reports whether it has been used for long enough.
func (c *pooled) isOld() bool { return !c.until.IsZero() && !c.by.now().Before(c.until) }

// errNoConn is that of a Dial that returns neither a connection nor an error.
var errNoConn = errors.New("sockclient: Pool.Dial has returned no connection")

// dial makes one, which is counted already.
func (p *Pool) dial(ctx context.Context, by *poolOfLoop) (c *pooled, err error) {
	p.open.Add(1)
	defer func() {
		if c == nil { // also if Dial panics
			by.count(-1, 0)
			p.open.Done()
		}
	}()
	if p.closed.Load() { // asked behind Add, so that Shutdown waits for what is not refused
		return nil, errPoolClosed
	}
	var made net.Conn
	err = caller.In(ctx, func(ctx context.Context) (err error) {
		made, err = p.Dial(ctx, by.l)
		return err
	})
	if made == nil && err == nil {
		err = errNoConn
	}
	if err != nil {
		return nil, err
	}
	c = &pooled{Conn: made, of: p, by: by}
	c.at.Of, c.at.Own = c, atrest.Own(c.Conn)
	if p.MaxAge > 0 {
		c.until = by.now().Add(p.MaxAge - time.Duration(loop.Rand()%uint64(p.MaxAge/10+1)))
	}
	by.mu.Lock()
	defer by.mu.Unlock()
	by.all[c] = struct{}{}
	by.made++
	c.nth = by.made
	return c, nil
}

// goAhead makes connections for those who come next. Each has a place as long as it is being made.
func (p *Pool) goAhead(by *poolOfLoop) {
	for p.Ahead > 0 && !(*loop.Loop)(by.l).Draining() && (by.places == nil || by.places.TryAcquire(1)) {
		closed, begins := by.beginAhead(p)
		if !begins {
			by.leave()
			return
		}
		if by.l.Post(func() { p.dialAhead(by, closed) }) != nil {
			by.count(-1, 0)
			by.endAhead()
			by.leave()
			return
		}
	}
}

// beginAhead counts a connection that is to be made ahead, if there is to be one.
func (by *poolOfLoop) beginAhead(p *Pool) (closed int, begins bool) {
	idle := by.idle.Count(struct{}{})
	by.mu.Lock()
	defer by.mu.Unlock()
	if idle+by.ahead >= p.Ahead || p.Max > 0 && by.open+by.getting >= p.Max {
		return 0, false
	}
	by.ahead++
	by.open++
	return by.closed, true
}

// endAhead counts it as made.
func (by *poolOfLoop) endAhead() {
	by.mu.Lock()
	defer by.mu.Unlock()
	by.ahead--
}

// closings is how often CloseIdle has been called.
func (by *poolOfLoop) closings() int {
	by.mu.Lock()
	defer by.mu.Unlock()
	return by.closed
}

// dialAhead is the task that makes one. closed is how often CloseIdle had been called before.
func (p *Pool) dialAhead(by *poolOfLoop, closed int) {
	defer by.leave() // also if Dial panics
	defer by.endAhead()
	_, task := ringo.Current()
	defer by.l.OnDrain(task.Cancel)()
	var c *pooled
	by.l.WithTimeout(aheadMax, func() (err error) {
		c, err = p.dial(context.Background(), by)
		return err
	})
	switch {
	case c == nil:
	case by.closings() != closed:
		c.end()
	default:
		c.at.Greets = true
		c.keep()
	}
}

// keep has a connection be at rest, or ends it. For tasks of its loop.
func (c *pooled) keep() {
	p, by := c.of, c.by
	most := p.MaxIdle
	if most == 0 {
		most = idleMax
	}
	if c.gone.Load() || c.isOld() || c.pends() || !by.idle.Watch(&c.at) || !by.idle.Put(&c.at, max(most, p.Ahead)) {
		c.end()
	} else if p.closed.Load() { // meanwhile: it has not seen this one
		by.closeIdle()
	}
}

// pends reports whether TLS has something that its user has not read.
func (c *pooled) pends() bool {
	return c.at.Own != nil && !c.at.Greets && atrest.Pends(c.by.l, c.Conn, func() error {
		_, err := c.Conn.Read(make([]byte, 1))
		return err
	})
}

// end closes it.
func (c *pooled) end() {
	if c.gone.Swap(true) {
		return
	}
	c.by.mu.Lock()
	c.by.open--
	delete(c.by.all, c)
	c.by.mu.Unlock()
	if own, plain := c.Conn.(*sock.Conn); plain {
		own.CloseSoon()
		c.of.open.Done()
		return
	}
	closes := func() {
		defer c.of.open.Done()
		c.Conn.Close()
	}
	if c.by.l.Post(closes) != nil { // the loop has ended, and with it the connection below, but no session
		closes()
	}
}

// Do calls use with a connection of the loop l that it gets from Get. It gives the connection back if its method
// Reusable returns true or, without that method, if use returns nil; otherwise, and if use panics, it closes it. In a
// task all waits of use end with ctx, as in Loop.WithContext, and the context that use gets has ctx's values but never
// ends, so that drivers start nothing to watch it; on a goroutine it is ctx. The error is Get's or that of use. A task
// may call it for its own loop, and any goroutine for any loop; it parks as Get and use do.
func (p *Pool) Do(ctx context.Context, l *ringo.Loop, use func(ctx context.Context, c net.Conn) error) error {
	c, err := p.Get(ctx, l)
	if err != nil {
		return err
	}
	defer c.Close() // unless it is given back
	err = caller.In(ctx, func(ctx context.Context) error {
		if here := caller.Here(); here != nil {
			ctx = context.WithoutCancel(ctx)
		}
		return use(ctx, c.Conn)
	})
	if c.isReusable(err) {
		c.Release()
	}
	return err
}

// isReusable reports whether a connection may have another user after one whose work has ended with err.
func (c *Conn) isReusable(err error) bool {
	if session, ok := c.Conn.(interface{ Reusable() bool }); ok {
		return session.Reusable()
	}
	return err == nil
}

// NetConn returns the connection that Dial has made. Any goroutine may call it; it does not park.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Release gives the connection back for its next use. All replies must have arrived and been read: if more bytes come,
// or have come, the connection is ended. Its deadlines should be as they were at first. After Close or Release it does
// nothing. Any goroutine may call it; it does not park.
func (c *Conn) Release() {
	if c.over.Swap(true) {
		return
	}
	by := c.c.by
	if l := caller.Here(); l == by.l {
		c.c.giveBack()
	} else if by.l.Post(c.c.giveBack) != nil {
		c.c.end()
		by.leave()
	}
}

// giveBack ends its use. For tasks of its loop.
func (c *pooled) giveBack() {
	c.keep()
	c.by.leave()
}

// Close ends the connection. After Release it only returns net.ErrClosed. Any goroutine may call it; it does not park.
func (c *Conn) Close() error {
	if c.over.Swap(true) {
		return net.ErrClosed
	}
	c.c.end()
	c.c.by.leave()
	return nil
}

// CloseIdle ends all connections that are at rest, and those of Ahead that are being made, for example before the
// program ends. Any goroutine may call it; it does not park.
func (p *Pool) CloseIdle() {
	p.loops.Each(func(_ *loop.Loop, by *poolOfLoop) bool {
		by.closeIdle()
		return true
	})
}

// Shutdown ends the Pool before its program ends, or sessions' own resources after that. From now on calls of Get fail,
// even waiting ones once it is their turn, with an error that matches net.ErrClosed. Connections at rest are closed,
// and those in use when they are given back; Shutdown waits for that: a task parks, a goroutine blocks. When ctx is
// done, or the caller's task ends as with Get, it cuts off those that are left, so that their users' calls fail, and
// returns the reason. A nil ctx never ends. Any goroutine may call it, repeatedly too.
func (p *Pool) Shutdown(ctx context.Context) error {
	p.closed.Store(true)
	p.CloseIdle()
	err := p.open.WaitContext(ctx)
	if err == nil {
		return nil
	}
	left := 0
	p.loops.Each(func(_ *loop.Loop, by *poolOfLoop) bool {
		left += by.cut()
		return true
	})
	return fmt.Errorf("sockclient: Shutdown has cut off %d connections in use: %w", left, err)
}

// cut ends the connections of a loop below their users.
func (by *poolOfLoop) cut() int {
	by.mu.Lock()
	defer by.mu.Unlock()
	oldest := func(a, b *pooled) int { return a.nth - b.nth } // in order: worlds play it again
	for _, c := range slices.SortedFunc(maps.Keys(by.all), oldest) {
		if c.at.Own != nil {
			c.at.Own.CloseSoon()
		} else {
			by.l.Post(func() { c.Conn.Close() })
		}
	}
	return len(by.all)
}

func (by *poolOfLoop) closeIdle() {
	by.mu.Lock()
	by.closed++
	by.mu.Unlock()
	for _, c := range by.idle.TakeAll() {
		c.end()
	}
}

// A Count is the number of connections that a Pool has on one loop.
type Count struct {
	Open int // connections: in use, at rest, and in the making
	Idle int // those at rest
}

// Count returns how many connections a loop has. Any goroutine may call it; it does not park.
func (p *Pool) Count(l *ringo.Loop) Count {
	by := p.loops.Of((*loop.Loop)(l))
	if by == nil {
		return Count{}
	}
	idle := by.idle.Count(struct{}{})
	by.mu.Lock()
	defer by.mu.Unlock()
	return Count{Open: by.open, Idle: idle}
}
