package event

import (
	"time"

	"ringo/internal/timer"
	"ringo/internal/watch"
)

// frozen detects callbacks that park, for which all others of their loop have to wait. The runner moves its timer each
// turn, so the timer fires during a callback only if the runner does not get on.
type frozen struct {
	e     *Loop
	began int64 // when the runner's turn began
	again bool  // this turn's callback was counted, and is to be reported later
	t     timer.Timer
}

func (f *frozen) begin(e *Loop) {
	limit := e.l.Config().Stall
	if limit < 0 {
		return
	}
	f.e, f.began, f.again, f.t.Owner = e, e.l.NowNS(), false, f
	e.l.Timers().Arm(&f.t, e.l.After(limit))
}

// Fire reports the parked callback, if the runner's turn has lasted as long as a turn of the loop may, and other
// callbacks wait. They wait as long for one callback that parks once as for many that each park a little.
func (f *frozen) Fire(*timer.Timer) {
	e := f.e
	if e.running == nil { // between two turns
		return
	}
	if behind := e.queue.len(); behind > 0 {
		left := watch.TellFrozen(e.l, e.task, time.Duration(e.l.NowNS()-f.began), behind, f.again)
		if f.again = left > 0; f.again {
			e.l.Timers().Arm(&f.t, e.l.After(left))
		}
		return
	}
	e.l.Timers().Arm(&f.t, e.l.After(max(e.l.Config().Stall, 20*time.Millisecond))) // callbacks may still come to wait
}
