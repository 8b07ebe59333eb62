package event

import (
	"time"

	"ringo/internal/timer"
)

// frozen finds a callback that is parked, so that all others of its loop wait for it. The runner moves its timer each
// turn, and it fires while the runner is in a callback only if that does not go on.
type frozen struct {
	e *Loop
	t timer.Timer
}

func (f *frozen) begin(e *Loop) {
	limit := e.l.Config().Stall
	if limit < 0 {
		return
	}
	f.e, f.t.Owner = e, f
	e.l.Arm(&f.t, e.l.After(limit))
}

// Fire tells of the callback, once it has been parked for as long as a turn may take and keeps others waiting.
func (f *frozen) Fire(*timer.Timer) {
	e := f.e
	if e.running == nil { // between two turns
		return
	}
	limit := e.l.Config().Stall
	if took := e.l.Parked(e.task); took >= limit && e.queue.len() > 0 {
		e.l.TellFrozen(e.task, took, e.queue.len())
		return
	}
	e.l.Arm(&f.t, e.l.After(max(limit, 20*time.Millisecond)))
}
