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

// A Pool holds connections to one server. Each loop has connections of its own: a request uses one of its loop, with no
// lock in between. Tasks of any loop and ordinary goroutines can share a Pool. Its fields must not be changed once it
// is used, nor may it be copied.
type Pool struct {
	// Dial makes a connection of the loop l, as sock.Dialer does, and does TLS, a greeting or a login if the protocol
	// has them. Get calls it and, for connections of Ahead, a task of the loop. Dial has to end with ctx.
	//
	// If a protocol's client makes an object of its own on a connection, such as a driver's session, that object has to
	// be a net.Conn with two or three methods. By NetConn() net.Conn the Pool finds the connection below, to watch it
	// at rest. Close ends both; it is called in a task of the loop or, once the loop has ended, by the method that ends
	// the connection, such as Shutdown. Reusable() bool, if there is one, tells Do whether another user may have the
	// object. Shutdown also ends a session's own resources, such as goroutines.
	Dial func(ctx context.Context, l *ringo.Loop) (net.Conn, error)
	// Max is how many connections a loop has at most, in use and at rest; further calls of Get wait in line. 0 means
	// that there is no limit.
	Max int
	// MaxIdle is how many connections a loop keeps at rest, or Ahead if that is more. 0 means 2, a negative value none.
	// Get returns the connection that was used last, so that the others can grow old.
	MaxIdle int
	// Ahead is how many connections are made in advance: when a Get leaves fewer than that at rest, the Pool makes
	// more, up to Max in all. If a Dial fails, or takes more than ten seconds, the next Get begins another.
	Ahead int
	// IdleTimeout is how long a connection is kept at rest; 0 means as long as the server keeps it.
	IdleTimeout time.Duration
	// MaxAge is how long a connection is used; 0 means that there is no limit. Each connection gets up to a tenth less,
	// so that connections made together do not end together.
	MaxAge time.Duration
	// Check is called before Get returns a connection that was at rest for CheckAfter or longer. If it fails, the Pool
	// ends the connection and tries the next. Check may wait, for five seconds at most. If a goroutine called Get, the
	// connection has no deadlines after Check. nil means that there is no check.
	//
	// Check is for servers that died silently. Without it, too, Get never returns a connection once the loop knows that
	// the server has closed it, or that bytes have come; the loop learns this within a turn, without a read. But a
	// request may still meet an end that has just come: for that there is package retry.
	Check      func(c net.Conn) error
	CheckAfter time.Duration

	loops  perloop.Values[poolOfLoop]
	closed atomic.Bool     // by Shutdown
	open   ringo.WaitGroup // connections, until they are closed
}

// checkMax is how long a Check may take, and aheadMax a Dial for Ahead; idleMax is the default of MaxIdle.
const (
	checkMax = 5 * time.Second
	aheadMax = 10 * time.Second
	idleMax  = 2
)

// poolOfLoop is the part of a Pool that belongs to one loop.
type poolOfLoop struct {
	l      *ringo.Loop
	idle   *atrest.Pool[struct{}, *pooled]
	places *ringo.Semaphore // nil: there is no limit

	mu      sync.Mutex
	all     map[*pooled]struct{}
	made    int
	open    int // connections, including those being made
	getting int // calls of Get that may make a connection
	ahead   int // connections of Ahead being made
	closed  int // calls of CloseIdle; a connection of Ahead begun before one is not kept
}

// A Conn is a connection of a Pool in use. Its user owns it until Close or Release, and must not use it afterwards.
type Conn struct {
	net.Conn
	c    *pooled
	over atomic.Bool // released or closed
}

// pooled is a connection of a Pool, in use or at rest.
type pooled struct {
	net.Conn
	at    atrest.Conn[struct{}, *pooled]
	of    *Pool
	by    *poolOfLoop
	until time.Time // the end of its MaxAge; zero: none
	nth   int       // its number among those that its loop has made
	gone  atomic.Bool
}

// errNoDial is the error of a Pool without a Dial, errPoolClosed that of one after Shutdown.
var (
	errNoDial     = errors.New("sockclient: Pool.Dial is nil")
	errPoolClosed = fmt.Errorf("sockclient: the Pool is closed: %w", net.ErrClosed)
)

// Get returns a connection of the loop l for one user: one at rest, or a new one. If the loop has Max connections, Get
// waits until one is given back or closed: a task parks, a goroutine blocks. Get also returns when ctx is done and, in
// a task, when the task is cancelled or its Loop.WithTimeout or WithContext ends. The error matches that of
// ringo.Mutex.LockContext, or is Dial's; after Shutdown it matches net.ErrClosed. A nil ctx never ends. A task may call
// it for its own loop, and any goroutine for any loop.
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

// count adds to the counts of connections and of calls of Get.
func (by *poolOfLoop) count(open, getting int) {
	by.mu.Lock()
	defer by.mu.Unlock()
	by.open += open
	by.getting += getting
}

// leave gives back one of the Max places.
func (by *poolOfLoop) leave() {
	if by.places != nil {
		by.places.Release(1)
	}
}

// of returns the part of the Pool that belongs to a loop, and makes it if there is none yet.
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

// atRest returns a connection that was at rest and is good, or nil if there is none. An error means that the caller's
// wait has ended.
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

// isGood reports whether Get may return a connection that has been at rest since then. If not, isGood ends the
// connection.
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
		// A context can't end the calls of a goroutine; a deadline does.
		stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
		err := p.Check(c.Conn)
		if !stop() {
			return context.Cause(ctx)
		}
		return err
	})
	return err == nil
}

// now returns the time by the loop's clock.
func (by *poolOfLoop) now() time.Time { return (*loop.Loop)(by.l).Clock() }

// isOld reports whether the connection has reached its MaxAge.
func (c *pooled) isOld() bool { return !c.until.IsZero() && !c.by.now().Before(c.until) }

// errNoConn is the error for a Dial that returns neither a connection nor an error.
var errNoConn = errors.New("sockclient: Pool.Dial has returned no connection")

// dial makes a connection, which the caller has counted already.
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

// goAhead starts tasks that make connections for later calls of Get, as many as Ahead asks for. Each has one of the Max
// places while it makes its connection.
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

// beginAhead reports whether to make one more connection in advance, and counts it. closed is how often CloseIdle has
// been called.
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

// endAhead ends what beginAhead has counted: the connection is no longer being made.
func (by *poolOfLoop) endAhead() {
	by.mu.Lock()
	defer by.mu.Unlock()
	by.ahead--
}

// closings returns how often CloseIdle has been called.
func (by *poolOfLoop) closings() int {
	by.mu.Lock()
	defer by.mu.Unlock()
	return by.closed
}

// dialAhead is the task that makes a connection in advance. closed is how often CloseIdle had been called before the
// task was started: if it was called since, the connection is not kept.
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

// keep puts a connection at rest, or ends it if it can't be kept. Only tasks of its loop call it.
func (c *pooled) keep() {
	p, by := c.of, c.by
	most := p.MaxIdle
	if most == 0 {
		most = idleMax
	}
	if c.gone.Load() || c.isOld() || c.pends() || !by.idle.Watch(&c.at) || !by.idle.Put(&c.at, max(most, p.Ahead)) {
		c.end()
	} else if p.closed.Load() { // Shutdown came meanwhile, and has not seen this connection
		by.closeIdle()
	}
}

// pends reports whether TLS holds input that the connection's user has not read.
func (c *pooled) pends() bool {
	return c.at.Own != nil && !c.at.Greets && atrest.Pends(c.by.l, c.Conn, func() error {
		_, err := c.Conn.Read(make([]byte, 1))
		return err
	})
}

// end closes the connection. Only the first call does anything.
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
	if c.by.l.Post(closes) != nil { // the loop has ended: that closed the connection below, but no session
		closes()
	}
}

// Do gets a connection of the loop l as Get does, and calls use with it. If the connection has a method Reusable, Do
// gives it back if that returns true; any other connection it gives back if use returns nil. Otherwise, and if use
// panics, Do closes the connection. In a task all waits of use end with ctx, as in Loop.WithContext, and the context
// that use gets has ctx's values but never ends, so that drivers start nothing to watch it; on a goroutine that context
// is ctx. The error is Get's or that of use. A task may call it for its own loop, and any goroutine for any loop; it
// parks as Get and use do.
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

// isReusable reports whether the connection may have another user, after use has returned err.
func (c *Conn) isReusable(err error) bool {
	if session, ok := c.Conn.(interface{ Reusable() bool }); ok {
		return session.Reusable()
	}
	return err == nil
}

// NetConn returns the connection that Dial has made. Any goroutine may call it; it does not park.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Release gives the connection back to the Pool for its next use. All replies must have arrived and been read: if more
// bytes come, or have come, the Pool ends the connection. Its deadlines should be as Dial left them. After Close or
// Release it does nothing. Any goroutine may call it; it does not park.
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

// giveBack ends the use of a connection. Only tasks of its loop call it.
func (c *pooled) giveBack() {
	c.keep()
	c.by.leave()
}

// Close ends the connection. After Close or Release it only returns net.ErrClosed. Any goroutine may call it; it does
// not park.
func (c *Conn) Close() error {
	if c.over.Swap(true) {
		return net.ErrClosed
	}
	c.c.end()
	c.c.by.leave()
	return nil
}

// CloseIdle ends all connections at rest, and those of Ahead that are being made, for example before the program ends.
// Any goroutine may call it; it does not park.
func (p *Pool) CloseIdle() {
	p.loops.Each(func(_ *loop.Loop, by *poolOfLoop) bool {
		by.closeIdle()
		return true
	})
}

// Shutdown ends the Pool. Call it before the program ends; after a Run, it still ends the sessions' own resources. From
// now on calls of Get fail with an error that matches net.ErrClosed, and calls that wait for a place do once it is
// their turn. Connections at rest are closed at once, and those in use when they are given back; Shutdown waits for
// that: a task parks, a goroutine blocks. When ctx is done, or the caller's task ends as with Get, Shutdown cuts off
// the connections that are left, so that their users' calls fail, and returns the reason. A nil ctx never ends. Any
// goroutine may call it, repeatedly too.
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

// cut closes what is below the connections of a loop that are still open, so that their users' calls fail, and returns
// how many there are.
func (by *poolOfLoop) cut() int {
	by.mu.Lock()
	defer by.mu.Unlock()
	oldest := func(a, b *pooled) int { return a.nth - b.nth } // in order, for worlds to repeat it
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
	Open int // connections in use, at rest, and being made
	Idle int // connections at rest
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
