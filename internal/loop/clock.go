package loop

import (
	"time"

	"ringo/internal/kernel"
)

// loopClock is a loop's clock, which stands still during a turn.
type loopClock struct {
	now       int64 // nanoseconds since the epoch of the set
	wall      time.Time
	wallAt    int64 // now when wall was read
	accounted int64 // now up to which time is in an account
}

// wallFresh is the greatest age of the reading of the wall clock from which Now computes its result.
const wallFresh = time.Second

// tick reads the clock. The loop's time never runs backwards: it stands still instead. As reading only the monotonic
// clock costs half as much, tick reads the wall clock now and then, and computes the time from that reading.
func (l *Loop) tick() {
	if l.cfg.Since == nil {
		l.clock.wall = l.cfg.Clock()
		l.clock.now = max(l.clock.now, int64(l.clock.wall.Sub(l.set.epoch)))
		l.clock.wallAt = l.clock.now
		return
	}
	l.clock.now = max(l.clock.now, int64(l.cfg.Since(l.set.epoch)))
	if l.clock.wall.IsZero() || l.clock.now-l.clock.wallAt >= int64(wallFresh) {
		// Not l.clock.now: the thread may have lost its processor between the two readings.
		l.clock.wall = l.cfg.Clock()
		l.clock.wallAt = int64(l.clock.wall.Sub(l.set.epoch))
		if l.clock.wall == l.clock.wall.Round(0) { // without a monotonic reading, and may be set
			l.clock.wallAt = l.clock.now
		}
	}
}

// Now returns the time of the turn.
func (l *Loop) Now() time.Time { return l.clock.wall.Add(time.Duration(l.clock.now - l.clock.wallAt)) }

// NowNS returns the time of the turn on the monotonic clock that timers use.
func (l *Loop) NowNS() int64 { return l.clock.now }

// elapsed returns the nanoseconds since the Run began. G.
func (s *Set) elapsed() int64 {
	if s.cfg.Since == nil {
		return int64(s.cfg.Clock().Sub(s.epoch))
	}
	e := int64(s.cfg.Since(s.epoch))
	if kernel.Implausible(e) && s.epochNS != 0 {
		e = kernel.Monotonic() - s.epochNS
	}
	return e
}

// Moment turns t into a time as Elapsed counts; never 0. Times beyond the range of the clock are at its ends. G.
func (l *Loop) Moment(t time.Time) int64 {
	return l.set.world.Moment(l, t)
}

// Outside turns t, a time of the caller's clock, into one of the loop's clock. The clocks differ in a bubble of
// testing/synctest. G.
func (l *Loop) Outside(t time.Time) time.Time {
	if l.unmade() {
		return t
	}
	return l.set.epoch.Add(time.Duration(l.Moment(t)))
}

// Clock returns the present time, to compare with results of Outside. G.
func (l *Loop) Clock() time.Time {
	if l.unmade() {
		return time.Now()
	}
	return l.set.epoch.Add(time.Duration(l.set.elapsed()))
}

// Elapsed returns the present time as NowNS counts, which is the time of the turn. G.
func (l *Loop) Elapsed() int64 { return l.set.elapsed() }

// Turn returns the number of the present turn.
func (l *Loop) Turn() uint64 { return l.counts.Turns }

// begin begins a turn.
func (l *Loop) begin() {
	l.tick()
	if l.spin.found {
		l.spin.found = false
		l.clock.account(&l.counts.Spinning)
	} else {
		l.clock.account(&l.counts.InKernel)
	}
	l.turn.begin(l.clock.now)
	if l.observer != nil {
		l.seen = l.observer.TurnBegins()
	}
	if l.above.EachTurn != nil {
		l.above.EachTurn()
	}
}

// end ends a turn: from here on the time is the driver's.
func (l *Loop) end() {
	l.counts.Turns++
	l.tick()
	l.clock.account(&l.counts.InTasks)
	if l.observer != nil {
		l.observer.TurnEnds(time.Duration(l.clock.now - l.turn.began))
	}
}

// account adds the time since the last call to one of the loop's accounts.
func (c *loopClock) account(to *time.Duration) {
	*to += time.Duration(c.now - c.accounted)
	c.accounted = c.now
}
