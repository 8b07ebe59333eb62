package loop

import (
	"time"

	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Alarm is the Owner of a timer of the loop.
type Alarm interface {
	// Fire runs on the loop's thread, between tasks.
	Fire(t *timer.Timer)
}

// Timers returns the heap of the loop's timers. Their Owners are Alarms, their times those of NowNS.
func (l *Loop) Timers() *timer.Heap { return &l.timers }

// At turns a time into one of NowNS; one out of range becomes the largest.
func (l *Loop) At(t time.Time) int64 { return l.After(t.Sub(l.Now())) }

// After returns the time of NowNS that is d after the start of the turn, or the largest time if d is too long. For d
// of 0 or less it returns the present, so that such a timer fires after those that have been due for longer.
func (l *Loop) After(d time.Duration) int64 {
	if d <= 0 {
		return l.clock.now
	}
	if at := l.clock.now + int64(d); at > l.clock.now {
		return at
	}
	return int64(^uint64(0) >> 1)
}

// sleep is the Waiter of a task in Sleep.
type sleep struct {
	l    *Loop
	task *Task
	t    timer.Timer
}

func (s *sleep) Fire(*timer.Timer) { s.l.Ready(s.task) }

func (s *sleep) CancelWait(t *Task) {
	s.l.timers.Remove(&s.t)
	s.l.Ready(t)
}

// DescribeWait says until when the task sleeps.
func (s *sleep) DescribeWait(_ *Task, d *Wait) { d.Op, d.Until = "Sleep", s.t.At() }

// Sleep parks the running task for at least d. It returns 0, or -ECANCELED if a cancel or timeout ended it. T, parks.
func (l *Loop) Sleep(d time.Duration) int32 {
	if l.Canceled() {
		l.ChargeAndYield()
		return -sys.ECANCELED
	}
	s := l.kept.sleeps.get()
	s.l, s.task = l, l.cur
	s.t.Owner = s
	l.tick()
	l.timers.Arm(&s.t, l.After(d))
	l.Park(s)
	s.task = nil
	l.kept.sleeps.put(s)
	if l.Canceled() {
		return -sys.ECANCELED
	}
	return 0
}

// Timer runs a function as a task at a later time.
type Timer struct {
	l   *Loop
	job Job
	t   timer.Timer
}

// AfterFunc makes a Timer that runs fn as a task after d. T.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	t := &Timer{l: l, job: inheritedFrom(l.cur).To(jobFunc(fn))}
	t.t.Owner = t
	l.tick()
	l.timers.Arm(&t.t, l.After(d))
	return t
}

// Fire starts the function as a task.
func (t *Timer) Fire(*timer.Timer) { t.l.Start(t.job) }

// Stop keeps the function from running, and drops the loop's reference to it; false if the timer was not armed. T.
func (t *Timer) Stop() bool {
	was := t.t.Armed()
	t.l.timers.Remove(&t.t)
	return was
}

// Reset arms the timer anew; false if it was not armed. T.
func (t *Timer) Reset(d time.Duration) bool {
	was := t.t.Armed()
	t.l.tick()
	t.l.timers.Arm(&t.t, t.l.After(d))
	return was
}

// Ticker calls a function on the loop's thread again and again. The function must not park.
type Ticker struct {
	l      *Loop
	period int64
	tick   func(time.Time)
	t      timer.Timer
}

// NewTicker makes a Ticker that calls tick every d. T.
func (l *Loop) NewTicker(d time.Duration, tick func(time.Time)) *Ticker {
	t := &Ticker{l: l, tick: tick}
	t.t.Owner = t
	t.Reset(d)
	return t
}

// Fire calls the function. A loop that is late skips the ticks that it has missed, and keeps to the beat.
func (t *Ticker) Fire(*timer.Timer) {
	late := t.l.clock.now - t.t.At()
	t.l.timers.Arm(&t.t, t.l.clock.now+t.period-late%t.period)
	t.tick(t.l.Now())
}

// Reset begins anew with another period. T.
func (t *Ticker) Reset(d time.Duration) {
	t.period = int64(d)
	t.l.tick()
	t.l.timers.Arm(&t.t, t.l.After(d))
}

// Stop ends the ticks; Reset begins them anew. T.
func (t *Ticker) Stop() { t.l.timers.Remove(&t.t) }

// Loop returns the ticker's loop; nil if no loop has made it.
func (t *Ticker) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.l
}

// Loop returns the timer's loop; nil if no loop has made it.
func (t *Timer) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.l
}
