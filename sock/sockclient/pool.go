package sockclient

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/caller"
	"ringo/internal/loop"
	"ringo/internal/perloop"
)

// A Pool has connections to one server, each loop its own: a request's connection is at its loop, and no lock is
// between them. Tasks of any loop and ordinary goroutines can share one. The fields must not be changed once it is
// used, nor the Pool copied.
type Pool struct {
	// Dial makes a connection of the loop l, as sock.Dialer does, and with TLS, a greeting or a login, whatever belongs
	// to it. It is called in Get, or in a task of the loop for those of Ahead. Dial has to end with ctx.
	Dial func(ctx context.Context, l *ringo.Loop) (net.Conn, error)
	// Max is how many connections a loop has at most, in use and at rest. More calls of Get wait in line. 0: there is
	// no limit.
	Max int
	// MaxIdle is how many of them are kept at rest; 0: 2, and below: none. The one that was used last is given first,
	// so that the others can grow old.
	MaxIdle int
	// Ahead is how many are made before they are asked for: so many of those at rest, and no more than Max, are made
	// when a Get has left fewer. If a Dial fails, the next Get begins another.
	Ahead int
	// IdleTimeout is for how long a connection is kept at rest; 0: as long as the server keeps it.
	IdleTimeout time.Duration
	// MaxAge is for how long a connection is used; 0: there is no limit. It is by up to a tenth less, so that those
	// which were made together do not end together.
	MaxAge time.Duration
	// Check is asked before a connection is given that was at rest for CheckAfter or longer; an error ends it, and the
	// next is tried. It may wait, but is given five seconds at most. A connection that the server has closed, or on
	// which something has come, is never given in any case, which takes no read and no system call: Check is for
	// servers that have died without a word. nil: none is asked.
	Check      func(c net.Conn) error
	CheckAfter time.Duration

	loops perloop.Values[poolOfLoop]
}

// checkMax is how long a Check may take, and idleMax the default of MaxIdle.
const (
	checkMax = 5 * time.Second
	idleMax  = 2
)

// poolOfLoop is what a loop has of a Pool.
type poolOfLoop struct {
	l      *ringo.Loop
	idle   *atrest.Pool[struct{}, *pooled]
	places *ringo.Semaphore // nil: there is no limit
	open   atomic.Int64
	dials  atomic.Int64 // of those of Ahead
}

// A Conn is a connection of a Pool in use. It is its user's until Close or Release, and must not be used after that.
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
	gone  atomic.Bool
}

// errNoDial is the error of a Pool that can't make connections.
var errNoDial = errors.New("sockclient: Pool.Dial is nil")

// Get returns a connection of the loop l for one user: one at rest, or a new one. At Max it waits until one is given
// back or closed: a task parks, a goroutine blocks. It also returns when ctx is done, and to a task when it is
// cancelled or its Loop.WithTimeout or WithContext ends, with the same errors as ringo.Mutex.LockContext, or Dial's. A
// nil ctx never ends. A task may call it for its own loop, and any goroutine for each.
func (p *Pool) Get(ctx context.Context, l *ringo.Loop) (*Conn, error) {
	if p.Dial == nil {
		return nil, errNoDial
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
			return nil, err
		}
	}
	var c *pooled
	defer func() {
		if c == nil { // also if Dial or Check panics
			by.leave()
		}
		p.goAhead(by)
	}()
	if c = p.atRest(ctx, by); c == nil {
		if c, err = p.dial(ctx, by); err != nil {
			return nil, err
		}
	}
	c.at.Greets = false
	return &Conn{Conn: c.Conn, c: c}, nil
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
	if by := p.loops.Of(e); by != nil {
		return by, nil
	}
	if e == nil || e.Ended() {
		return nil, ringo.ErrEnded
	}
	by := &poolOfLoop{l: l}
	by.idle = atrest.New[struct{}](l, 0, p.IdleTimeout, (*pooled).end)
	if p.Max > 0 {
		by.places = ringo.NewSemaphore(int64(p.Max))
	}
	return p.loops.Begin(e, by, (*poolOfLoop).closeIdle), nil
}

var errStranger = errors.New("sockclient: Pool.Get for another loop than the task's own")

// atRest is a connection that was at rest and is good; nil: there is none.
func (p *Pool) atRest(ctx context.Context, by *poolOfLoop) *pooled {
	for {
		c, since, ok := by.idle.Take(struct{}{})
		if !ok || p.isGood(ctx, c, since) {
			return c
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
	case c.isOld(), c.by.idle.Late(since):
		return false
	case p.Check == nil || idle < p.CheckAfter:
		return true
	}
	_, err := caller.Within(ctx, checkMax, func(ctx context.Context) error {
		if l, _ := ringo.Current(); l == nil { // no context ends a goroutine's calls
			by, _ := ctx.Deadline()
			c.SetDeadline(by)
			defer c.SetDeadline(time.Time{})
		}
		return p.Check(c.Conn)
	})
	return err == nil
}

// now is the time of the loop's clock.
func (by *poolOfLoop) now() time.Time { return (*loop.Loop)(by.l).Clock() }

// isOld reports whether it has been used for long enough.
func (c *pooled) isOld() bool { return !c.until.IsZero() && !c.by.now().Before(c.until) }

// dial makes one.
func (p *Pool) dial(ctx context.Context, by *poolOfLoop) (c *pooled, err error) {
	by.open.Add(1)
	defer func() {
		if c == nil { // also if Dial panics
			by.open.Add(-1)
		}
	}()
	err = caller.In(ctx, func(ctx context.Context) error {
		made, err := p.Dial(ctx, by.l)
		if err != nil {
			return err
		}
		c = &pooled{Conn: made, of: p, by: by}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.at.Of, c.at.Own = c, atrest.Own(c.Conn)
	if p.MaxAge > 0 {
		c.until = by.now().Add(p.MaxAge - time.Duration(loop.Rand()%uint64(p.MaxAge/10+1)))
	}
	return c, nil
}

// goAhead makes connections for those who come next. Each has a place as long as it is being made.
func (p *Pool) goAhead(by *poolOfLoop) {
	for n := p.Ahead - by.idle.Count(struct{}{}); n > int(by.dials.Load()); {
		if p.Max > 0 && by.open.Load() >= int64(p.Max) || (*loop.Loop)(by.l).Draining() ||
			by.places != nil && !by.places.TryAcquire(1) {
			return
		}
		by.dials.Add(1)
		by.l.Go(func() {
			defer func() {
				by.dials.Add(-1)
				by.leave()
			}()
			if c, err := p.dial(context.Background(), by); err == nil {
				c.at.Greets = true
				c.keep()
			}
		})
	}
}

// keep has a connection be at rest, or ends it. For tasks of its loop.
func (c *pooled) keep() {
	p, by := c.of, c.by
	most := p.MaxIdle
	if most == 0 {
		most = idleMax
	}
	if c.gone.Load() || c.isOld() || !by.idle.Watch(&c.at) || !by.idle.Put(&c.at, max(most, p.Ahead)) {
		c.end()
	}
}

// end closes it.
func (c *pooled) end() {
	if c.gone.Swap(true) {
		return
	}
	c.by.open.Add(-1)
	atrest.Close((*loop.Loop)(c.by.l), c.Conn)
}

// Release gives the connection back for its next use. Everything that was asked must have been answered and read: if
// more comes, or has come, the connection is ended. Its deadlines should be as they were at first. After Close or
// Release it does nothing. Any goroutine may call it; it does not park.
func (c *Conn) Release() {
	if c.over.Swap(true) {
		return
	}
	by := c.c.by
	if l, _ := ringo.Current(); l == by.l {
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

// Close ends the connection. After Release it returns net.ErrClosed, and ends nothing. Any goroutine may call it; it
// does not park.
func (c *Conn) Close() error {
	if c.over.Swap(true) {
		return net.ErrClosed
	}
	c.c.end()
	c.c.by.leave()
	return nil
}

// CloseIdle ends all connections that are at rest, as before the program's end. Any goroutine may call it; it does not
// park.
func (p *Pool) CloseIdle() {
	p.loops.Each(func(_ *loop.Loop, by *poolOfLoop) bool {
		by.closeIdle()
		return true
	})
}

func (by *poolOfLoop) closeIdle() {
	for _, c := range by.idle.TakeAll() {
		c.end()
	}
}

// A Count is what a loop has of a Pool.
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
	return Count{Open: int(by.open.Load()), Idle: by.idle.Count(struct{}{})}
}
