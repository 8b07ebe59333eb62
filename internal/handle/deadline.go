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

// hasNone reports whether there is no deadline to remove, on a handle that foreign callers use and that is not
// closing. It is for net/http, which removes deadlines that it has not set, five times a request.
func (c *Core) hasNone(in, out bool) bool {
	f := c.foreign.Load()
	return f != nil && (!in || c.limits[In].Load() == 0) && (!out || c.limits[Out].Load() == 0) && !f.isClosing()
}

// limitOf turns a time into one of the loop's clock; 0 only for the zero time. The loop's clock stands still during a
// turn, so for a time that seems near limitOf reads the clock: time.Now() must count as passed.
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

// passed is a deadline that had passed when it was set: no caller has leeway behind it.
const passed = 1

// tooLate returns the error of a direction whose deadline has passed; nil if it has not. Any caller.
func (c *Core) tooLate(dir Dir) error {
	if c.limits[dir].Load() == 0 {
		return nil
	}
	return c.late(dir, c.elapsed())
}

// elapsed returns the present time by the clock of the handle's deadlines: the loop's, or for a handle of no loop the
// process's. Any caller.
func (c *Core) elapsed() int64 {
	if l := c.clock(); l != nil {
		return l.Elapsed()
	}
	return int64(time.Since(begun))
}

// moment turns t into a time of that clock, never 0. Any caller.
func (c *Core) moment(t time.Time) int64 {
	if l := c.clock(); l != nil {
		return l.Moment(t)
	}
	return later(c.elapsed(), int64(time.Until(t)))
}

// begun is the epoch of the clock for handles of no loop.
var begun = time.Now()

// late returns the error of a direction whose deadline has passed at now, a time of the loop's clock; nil if it has
// not.
func (c *Core) late(dir Dir, now int64) error {
	if limit := c.limits[dir].Load(); limit != 0 && now >= limit {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Deadlines copies the deadlines of another handle, and converts them from the clock of that handle's loop.
func (c *Core) Deadlines(from *Core) {
	for dir := range c.limits {
		if limit := from.limits[dir].Load(); limit != 0 {
			c.limits[dir].Store(later(c.l.Elapsed(), limit-from.l.Elapsed()))
		}
	}
}

// later returns the deadline that is d after now. Times beyond the range of the clock become its largest.
func later(now, d int64) int64 {
	at := now + d
	if d > 0 && at < now {
		return math.MaxInt64
	}
	return max(1, at)
}

// longAgo is a time that has passed.
var longAgo = time.Unix(1, 0)

// setDeadline sets a direction's deadline in the netpoller. The caller holds mu.
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

// setFileDeadline ignores errors: the file is a socket, and open, so there are none.
func (f *foreign) setFileDeadline(h *half, t time.Time) {
	if h.dir == Out {
		f.file.SetWriteDeadline(t)
	} else {
		f.file.SetReadDeadline(t)
	}
}

// setLimits sets the deadline of a direction, or of both, for a foreign caller.
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

// setLimit sets a direction's deadline, and reports whether the loop must learn of it. The caller holds mu.
func (h *half) setLimit(at int64, t time.Time) (tell bool) {
	h.f.c.limits[h.dir].Store(at)
	h.f.endPolls()
	if h.f.file != nil && !h.interrupted {
		h.f.setFileDeadline(h, t)
	}
	return !h.held
}
