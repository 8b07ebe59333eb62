package event

import (
	"time"

	"ringo/internal/timer"
	"ringo/internal/watch"
)

// frozen finds callbacks that park, so that all others of their loop wait for them. The runner moves its timer each
// turn, and it fires while the runner is in a callback only if that does not go on.
type frozen struct {
	e     *Loop
	began int64 // when the runner's turn did
	t     timer.Timer
}

func (f *frozen) begin(e *Loop) {
	limit := e.l.Config().Stall
	if limit < 0 {
		return
	}
	f.e, f.began, f.t.Owner = e, e.l.NowNS(), f
	e.l.Timers().Arm(&f.t, e.l.After(limit))
}

// Fire tells of the callback that is parked, once the runner's turn has been as long as one of the loop's may be and
// keeps others waiting: they wait for as long for one that parks once as for many that do so for a little.
func (f *frozen) Fire(*timer.Timer) {
	e := f.e
	if e.running == nil { // between two turns
		return
	}
	if behind := e.queue.len(); behind > 0 {
		watch.TellFrozen(e.l, e.task, time.Duration(e.l.NowNS()-f.began), behind)
		return
	}
	e.l.Timers().Arm(&f.t, e.l.After(max(e.l.Config().Stall, 20*time.Millisecond))) // they may come yet
}
