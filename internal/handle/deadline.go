package handle

import (
	"math"
	"os"
	"time"

	"ringo/internal/loop"
)

// SetDeadline sets the deadline of one direction or of both; the zero time is none. Any caller.
func (c *Core) SetDeadline(t time.Time, in, out bool) error {
	if t.IsZero() && c.hasNone(in, out) {
		return nil
	}
	if !c.l.IsCurrent() {
		f, err := c.callers()
		if err == nil {
			err = f.setLimits(t, in, out)
		}
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	limit := limitOf(c.l, t)
	if in {
		c.SetLimit(In, limit)
	}
	if out {
		c.SetLimit(Out, limit)
	}
	if f := c.foreign.Load(); f != nil && f != nobody {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.setDeadlines()
	}
	return nil
}

// hasNone reports whether there is no deadline to take away, of a handle that foreign callers use and that is not
// closing. net/http takes deadlines away that there are not at every turn, five times a request.
func (c *Core) hasNone(in, out bool) bool {
	f := c.foreign.Load()
	return f != nil && (!in || c.limits[In].Load() == 0) && (!out || c.limits[Out].Load() == 0) && !f.isClosing()
}

// limitOf turns a time into one of the loop's clock, never 0 but for the zero
// time. That clock stands still during a turn, so one that seems near is looked at
// again: time.Now() must have passed.
func limitOf(l *loop.Loop, t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	at := l.Moment(t)
	if at-l.NowNS() < int64(time.Second) && at <= l.Elapsed() {
		return passed
	}
	return at
}

// passed is a deadline that had passed when it was set: behind it nobody has leeway.
const passed = 1

// tooLate is the error of a direction whose deadline has passed by now. Any caller.
func (c *Core) tooLate(dir Dir) error {
	if c.limits[dir].Load() == 0 {
		return nil
	}
	return c.late(dir, c.elapsed())
}

// elapsed is the time of the clock that deadlines are counted by: the loop's, or, of a handle that belongs to none,
// that of the process. Any caller.
func (c *Core) elapsed() int64 {
	if l := c.clock(); l != nil {
		return l.Elapsed()
	}
	return int64(time.Since(begun))
}

// moment is when t is by that clock, never 0. Any caller.
func (c *Core) moment(t time.Time) int64 {
	if l := c.clock(); l != nil {
		return l.Moment(t)
	}
	return later(c.elapsed(), int64(time.Until(t)))
}

// begun is when the clock of handles that belong to no loop began.
var begun = time.Now()

// late is the error of a direction whose deadline has passed at a time of the loop's clock.
func (c *Core) late(dir Dir, now int64) error {
	if limit := c.limits[dir].Load(); limit != 0 && now >= limit {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Deadlines copies the deadlines of another handle, whose loop has another clock.
func (c *Core) Deadlines(from *Core) {
	for dir := range c.limits {
		if limit := from.limits[dir].Load(); limit != 0 {
			c.limits[dir].Store(later(c.l.Elapsed(), limit-from.l.Elapsed()))
		}
	}
}

// later is the deadline that is d from a moment. What is farther than the clock goes is as far
// as it does.
func later(now, d int64) int64 {
	at := now + d
	if d > 0 && at < now {
		return math.MaxInt64
	}
	return max(1, at)
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// setDeadline tells the netpoller a direction's deadline. The caller holds mu.
func (f *foreign) setDeadline(h *half) {
	f.endPolls()
	if f.file == nil || f.isClosing() {
		return
	}
	switch limit := f.c.limits[h.dir].Load(); {
	case h.interrupted:
		f.setFileDeadline(h, longAgo)
	case limit == 0:
		f.setFileDeadline(h, time.Time{})
	default:
		f.setFileDeadline(h, time.Now().Add(time.Duration(limit-f.c.elapsed())))
	}
}

// setDeadlines is setDeadline for both directions.
func (f *foreign) setDeadlines() {
	f.setDeadline(&f.halves[In])
	f.setDeadline(&f.halves[Out])
}

// setFileDeadline can't fail: the file is a socket, and open.
func (f *foreign) setFileDeadline(h *half, t time.Time) {
	if h.dir == Out {
		f.file.SetWriteDeadline(t)
	} else {
		f.file.SetReadDeadline(t)
	}
}

// setLimits is a foreign caller's way to set the deadline of a direction, or of both.
func (f *foreign) setLimits(t time.Time, in, out bool) error {
	at := int64(0)
	if !t.IsZero() {
		if at = f.c.moment(t); at <= f.c.elapsed() {
			at = passed
		}
	}
	f.mu.Lock()
	if f.isClosing() {
		f.mu.Unlock()
		return f.closedErr()
	}
	tellIn, tellOut := in && f.halves[In].setLimit(at, t), out && f.halves[Out].setLimit(at, t)
	f.mu.Unlock()
	if tellIn {
		f.c.l.Call(func() { f.c.moved(In) })
	}
	if tellOut {
		f.c.l.Call(func() { f.c.moved(Out) })
	}
	return nil
}

// setLimit sets a direction's deadline, and reports whether the loop is to be told. The caller
// holds mu.
func (h *half) setLimit(at int64, t time.Time) (tell bool) {
	h.f.c.limits[h.dir].Store(at)
	h.f.endPolls()
	if h.f.file != nil && !h.interrupted {
		h.f.setFileDeadline(h, t)
	}
	return !h.held
}
