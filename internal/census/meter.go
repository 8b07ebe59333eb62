package census

import (
	"time"

	"ringo/internal/loop"
)

// meter measures for how long each task has its loop, for somebody who watches: the clock is read whenever a task
// begins, parks, goes on or ends. A loop that nobody watches has none, which costs a look at a pointer in a turn.
//
//	none ──Meter──▶ spans of a second ──nobody has asked for meterMax──▶ none
type meter struct {
	until int64            // nobody has asked for longer
	begun int64            // the present span
	ran   map[uint32]int64 // in the present span, by tasks that have not ended
	last  map[uint32]int64 // in the one before, which lasted for span
	span  int64
	since int64 // up to when the time is charged, or since when it is the running task's
}

const (
	meterSpan = int64(time.Second)
	meterMax  = int64(5 * time.Second)
)

// Meter has a loop measure its tasks, for some seconds from now on: TaskInfo.Ran tells. It does not wait. G.
func Meter(l *loop.Loop) {
	r := of(l)
	if r == nil || r.metering.Swap(true) {
		return
	}
	l.Call(func() {
		r.metering.Store(false)
		now := l.Elapsed()
		if r.meter == nil {
			r.meter = &meter{begun: now, ran: map[uint32]int64{}}
		}
		r.meter.until = now + meterMax
	})
}

// meterTurn is for the beginning of a turn, of a loop that has a meter.
func (r *Record) meterTurn() {
	m, now := r.meter, r.l.Elapsed()
	if now > m.until {
		r.meter = nil
		return
	}
	m.turns(now)
}

// turns begins the next span if it is time to.
func (m *meter) turns(now int64) {
	if now-m.begun >= meterSpan {
		m.last, m.span, m.ran, m.begun = m.ran, now-m.begun, make(map[uint32]int64, len(m.ran)), now
	}
	m.since = now
}

// charge charges the task that has run.
func (m *meter) charge(task uint32, now int64) {
	m.ran[task] += now - m.since
	m.since = now
}

// ends forgets a task, for which nobody will ask.
func (m *meter) ends(task uint32, now int64) {
	delete(m.ran, task)
	m.since = now
}

// share is the part of the last full span in which a task has had its loop, in millionths.
func (m *meter) share(id uint32, now int64) int64 {
	if m == nil || m.span == 0 || now-m.begun > 2*meterSpan { // or nothing has run since
		return 0
	}
	return m.last[id] * 1e6 / m.span
}
