package loop

import (
	"time"

	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Alarm is what a timer of the loop belongs to: its Owner.
type Alarm interface {
	// Fire runs on the loop's thread, between tasks.
	Fire(t *timer.Timer)
}

// Timers are its timers, each an Alarm's, by the time of NowNS.
func (l *Loop) Timers() *timer.Heap { return &l.timers }

// At turns a time into one of NowNS; one too far away to count is just far away.
func (l *Loop) At(t time.Time) int64 { return l.After(t.Sub(l.Now())) }

// After gives the time of NowNS that is d from the turn's start; a d so long that
// it has no time is far away. What is past is due now, so that it takes its turn
// behind what has been due for longer.
func (l *Loop) After(d time.Duration) int64 {
	if d <= 0 {
		return l.clock.now
	}
	if at := l.clock.now + int64(d); at > l.clock.now {
		return at
	}
	return int64(^uint64(0) >> 1)
}

// sleep is a task in Sleep.
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

// DescribeWait tells until when.
func (s *sleep) DescribeWait(_ *Task, d *Wait) { d.Op, d.Until = "Sleep", s.t.At() }

// Sleep parks the running task for d at least: 0, or -ECANCELED. T, parks.
func (l *Loop) Sleep(d time.Duration) int32 {
	if l.Canceled() {
		l.ChargeAndYield()
		return -sys.ECANCELED
	}
	s := l.kept.sleeps.get()
	if s == nil {
		s = new(sleep)
	}
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

// Timer runs a function as a task after a while.
type Timer struct {
	l   *Loop
	job Job
	t   timer.Timer
}

// AfterFunc makes a Timer that runs fn as a task after d. T.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	t := &Timer{l: l, job: inheriting(jobFunc(fn), inheritedFrom(l.cur))}
	t.t.Owner = t
	l.tick()
	l.timers.Arm(&t.t, l.After(d))
	return t
}

// Fire starts the function.
func (t *Timer) Fire(*timer.Timer) { t.l.Start(t.job) }

// Stop keeps it from running, and the loop from keeping what its function holds;
// false if it was not armed. T.
func (t *Timer) Stop() bool {
	was := t.t.Armed()
	t.l.timers.Remove(&t.t)
	return was
}

// Reset arms it anew; false if it was not armed. T.
func (t *Timer) Reset(d time.Duration) bool {
	was := t.t.Armed()
	t.l.tick()
	t.l.timers.Arm(&t.t, t.l.After(d))
	return was
}

// Ticker calls a function on the loop's thread again and again. It must not park.
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

// Fire ticks. A loop that is late makes up for no tick that it has missed, and keeps to the beat.
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

// Stop ends it; Reset begins it anew. T.
func (t *Ticker) Stop() { t.l.timers.Remove(&t.t) }

// Loop is the ticker's loop, nil if no loop has made it.
func (t *Ticker) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.l
}

// Loop is the timer's loop, nil if no loop has made it.
func (t *Timer) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.l
}
