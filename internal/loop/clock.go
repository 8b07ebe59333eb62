package loop

import (
	"time"

	"ringo/internal/kernel"
)

// loopClock is the time as a loop sees it: that of its turn.
type loopClock struct {
	now       int64 // nanoseconds since the epoch of the set
	wall      time.Time
	wallAt    int64 // when that was read
	accounted int64 // up to when the time is
}

// wallFresh is how old the wall clock may be that Now is reckoned from.
const wallFresh = time.Second

// tick reads the clock, of which what runs backwards stands still. Reading the
// monotonic one alone is half the price, so the wall clock is read now and then,
// and reckoned from there.
func (l *Loop) tick() {
	if l.cfg.Since == nil {
		l.clock.wall = l.cfg.Clock()
		l.clock.now = max(l.clock.now, int64(l.clock.wall.Sub(l.set.epoch)))
		l.clock.wallAt = l.clock.now
		return
	}
	l.clock.now = max(l.clock.now, int64(l.cfg.Since(l.set.epoch)))
	if l.clock.wall.IsZero() || l.clock.now-l.clock.wallAt >= int64(wallFresh) {
		// Not at l.now: the thread may have lost its processor between the two looks.
		l.clock.wall = l.cfg.Clock()
		l.clock.wallAt = int64(l.clock.wall.Sub(l.set.epoch))
		if l.clock.wall == l.clock.wall.Round(0) { // it tells no monotonic time, and may be set
			l.clock.wallAt = l.clock.now
		}
	}
}

// Now is the time of the turn.
func (l *Loop) Now() time.Time { return l.clock.wall.Add(time.Duration(l.clock.now - l.clock.wallAt)) }

// NowNS is the same on the monotonic clock that timers use.
func (l *Loop) NowNS() int64 { return l.clock.now }

// elapsed is the time since the Run began. G.
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

// Moment is when t is, or was, as Elapsed counts; never 0. What is farther than the clock
// goes is as far as it does. G.
func (l *Loop) Moment(t time.Time) int64 {
	return l.set.world.Moment(l, t)
}

// Outside is t, a time of the caller's clock, as one of the loop's. They differ in a bubble of testing/synctest. G.
func (l *Loop) Outside(t time.Time) time.Time {
	if l.unmade() {
		return t
	}
	return l.set.epoch.Add(time.Duration(l.Moment(t)))
}

// Clock is this moment, to be compared with times of Outside. G.
func (l *Loop) Clock() time.Time {
	if l.unmade() {
		return time.Now()
	}
	return l.set.epoch.Add(time.Duration(l.set.elapsed()))
}

// Elapsed is NowNS for other threads, and not of the turn but of this moment. G.
func (l *Loop) Elapsed() int64 { return l.set.elapsed() }

// Turn is the number of the present turn.
func (l *Loop) Turn() uint64 { return l.counts.Turns }

// begin starts a turn.
func (l *Loop) begin() {
	l.tick()
	if l.spin.found {
		l.spin.found = false
		l.account(&l.counts.Spinning)
	} else {
		l.account(&l.counts.InKernel)
	}
	l.turn.begin(l.clock.now)
	if l.observer != nil {
		l.seen = l.observer.TurnBegins()
	}
	if l.above.EachTurn != nil {
		l.above.EachTurn()
	}
}

// end ends it: what comes now is the driver's.
func (l *Loop) end() {
	l.counts.Turns++
	l.tick()
	l.account(&l.counts.InTasks)
	if l.observer != nil {
		l.observer.TurnEnds(time.Duration(l.clock.now - l.turn.began))
	}
}

// account adds the time since it was last called to one of the loop's accounts.
func (l *Loop) account(to *time.Duration) {
	*to += time.Duration(l.clock.now - l.clock.accounted)
	l.clock.accounted = l.clock.now
}
