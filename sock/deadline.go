package sock

import (
	"math"
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// SetDeadline is SetReadDeadline and SetWriteDeadline. Any goroutine may call it.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero
// time is none. Bytes that came in time are not lost. It costs next to nothing: a
// deadline that moves later touches no timer. Any goroutine may call it.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on, with
// the count that went out; the zero time is none. Any goroutine may call it.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, in, out bool) error {
	if !c.l.Here() {
		return c.setDeadlinesAsGuest(t, in, out)
	}
	if err := c.check("set"); err != nil {
		return err
	}
	limit := deadlineOf(c.l, t)
	if in {
		c.readBy.Store(limit)
		c.in.deadlineMoved(c)
	}
	if out {
		c.writeBy.Store(limit)
		c.out.deadlineMoved(c)
	}
	if g := c.guests.Load(); g != nil {
		g.limited()
	}
	return nil
}

func (c *Conn) setDeadlinesAsGuest(t time.Time, in, out bool) error {
	g, err := c.guest()
	if err == nil {
		err = g.setLimits(t, in, out)
	}
	return c.failGuest("set", err)
}

func (in *input) deadlineMoved(c *Conn) {
	limitMoved(c.l, &in.timer, c.readBy.Load(), in.waiter != nil || c.serve.resting())
}

func (out *output) deadlineMoved(c *Conn) {
	limitMoved(c.l, &out.timer, c.writeBy.Load(), out.waiter != nil)
}

// limitMoved has a timer follow a deadline, if somebody waits by it.
func limitMoved(l *loop.Loop, t *timer.Timer, limit int64, waits bool) {
	switch {
	case limit == 0:
		l.Disarm(t)
	case waits:
		l.Arm(t, limit)
	}
}

// deadlineOf turns a time into one of the loop's clock, never 0 but for the zero
// time. That clock stands still during a turn, so one that seems near is looked at
// again: time.Now() must have passed.
func deadlineOf(l *loop.Loop, t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	at := l.At(t)
	if left := at - l.NowNS(); left < int64(time.Second) && !t.After(l.Config().Clock()) {
		return 1
	}
	return max(1, at)
}

// later is the deadline that is d from a moment. What is farther than the clock goes is as far
// as it does.
func later(now int64, d time.Duration) int64 {
	at := now + int64(d)
	if d > 0 && at < now {
		return math.MaxInt64
	}
	return max(1, at)
}
