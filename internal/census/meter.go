package census

import (
	"time"

	"ringo/internal/loop"
)

// meter measures how long each task has its loop. It reads the clock whenever a task begins, parks, resumes or ends. A
// loop has a meter only while someone asks for its results; without one it costs a look at a pointer in each turn.
//
//	none ──Meter──▶ spans of a second ──nobody has asked for meterMax──▶ none
type meter struct {
	until int64            // when the meter ends, unless Meter is called again
	begun int64            // when the present span began
	ran   map[uint32]int64 // by task, in the present span, without tasks that have ended
	last  map[uint32]int64 // the same for the span before, which lasted span
	span  int64
	since int64 // up to this time everything is charged; from it on, the running task is to be
}

const (
	meterSpan = int64(time.Second)
	meterMax  = int64(5 * time.Second)
)

// Meter lets a loop measure its tasks for the next seconds, for TaskInfo.Ran. It does not wait. G.
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

// meterTurn runs when a turn of a loop with a meter begins.
func (r *Record) meterTurn() {
	m, now := r.meter, r.l.Elapsed()
	if now > m.until {
		r.meter = nil
		return
	}
	m.turns(now)
}

// turns begins a turn for the meter, and a new span once the present one is over.
func (m *meter) turns(now int64) {
	if now-m.begun >= meterSpan {
		m.last, m.span, m.ran, m.begun = m.ran, now-m.begun, make(map[uint32]int64, len(m.ran)), now
	}
	m.since = now
}

// charge charges the task that has run since m.since.
func (m *meter) charge(task uint32, now int64) {
	m.ran[task] += now - m.since
	m.since = now
}

// ends forgets a task that ends.
func (m *meter) ends(task uint32, now int64) {
	delete(m.ran, task)
	m.since = now
}

// share returns the part of the last full span in which a task had its loop, in millionths.
func (m *meter) share(id uint32, now int64) int64 {
	if m == nil || m.span == 0 || now-m.begun > 2*meterSpan { // no turn since: the span is too old
		return 0
	}
	return m.last[id] * 1e6 / m.span
}
