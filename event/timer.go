package event

import (
	"math"
	"time"

	"ringo/internal/timer"
)

// A Timer calls a function later, once or repeatedly.
type Timer struct {
	activity
	fn    func()
	every int64 // 0: once
	t     timer.Timer
	due   bool // it is in the loop's queue
	stale bool // in the queue for a time that was changed
}

// AfterFunc calls fn after d. The timer is active until then.
func (e *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	return e.here("Loop.AfterFunc").newTimer("Loop.AfterFunc", d, 0, fn)
}

// Every calls fn every d, until Stop. If the loop is late, missed calls are dropped and later ones keep the schedule.
func (e *Loop) Every(d time.Duration, fn func()) *Timer {
	if d <= 0 {
		panic("event: Loop.Every of no time")
	}
	return e.here("Loop.Every").newTimer("Loop.Every", d, int64(d), fn)
}

func (e *Loop) newTimer(method string, d time.Duration, every int64, fn func()) *Timer {
	if fn == nil {
		panic("event: " + method + " of a nil function")
	}
	t := &Timer{activity: activity{e: e, endless: every > 0}, fn: fn, every: every}
	t.t.Owner = (*expiry)(t)
	t.arm(d)
	return t
}

func (t *Timer) arm(d time.Duration) {
	if t.e.refuses() {
		return
	}
	t.e.begin(&t.activity, t)
	t.stale = t.due
	now := t.e.l.Elapsed()
	t.e.l.Timers().Arm(&t.t, now+min(max(0, int64(d)), math.MaxInt64-now))
}

// expiry is a Timer as the owner of its loop's timer.
type expiry Timer

// Fire is called when the time has come.
func (x *expiry) Fire(*timer.Timer) {
	t := (*Timer)(x)
	if t.every > 0 {
		now := t.e.l.NowNS()
		late := now - t.t.At()
		t.e.l.Timers().Arm(&t.t, now+min(t.every-late%t.every, math.MaxInt64-now))
	}
	if t.stale = false; !t.due {
		t.due = true
		t.e.push(t)
	}
}

func (t *Timer) run() {
	t.due = false
	if !t.isActive() || t.stale { // it was stopped, or moved
		t.stale = false
		return
	}
	if t.every == 0 {
		t.e.done(&t.activity)
	}
	t.fn()
}

// Stop keeps the timer from calling. It returns false if the timer was not active.
func (t *Timer) Stop() bool {
	t.e.here("Timer.Stop")
	was := t.isActive()
	t.stop()
	return was
}

func (t *Timer) stop() {
	t.e.l.Timers().Remove(&t.t)
	t.e.done(&t.activity)
}

// Reset sets the timer to call after d; one of Every continues from there with the same period. If the loop was stopped
// it does nothing. It reports whether the timer was active. Moving a timer later costs almost nothing.
func (t *Timer) Reset(d time.Duration) bool {
	t.e.here("Timer.Reset")
	was := t.isActive()
	t.arm(d)
	return was
}
