package loop

import (
	"ringo/internal/op"
	"ringo/stats"
	"time"
)

// opCounts are operations by kind.
type opCounts struct {
	tried, submitted [op.Codes]uint64
	times            [op.Codes]*stats.Histogram // made for the first of a kind
}

// Time has an op timed that is about to be submitted: for one that somebody waits for, and not for one that is
// armed and stands, because how long that did says nothing. It is not part of Submit, which is to be inlined
// (TestParkedStacks of sock).
func (l *Loop) Time(o *op.Op) { l.slab.Begin(o, l.clock.now) }

// countEnd takes the time of an op that has ended, by the clock of turns.
func (l *Loop) countEnd(o *op.Op) {
	began := l.slab.Began(o)
	if began == 0 {
		return
	}
	h := l.ops.times[o.Code]
	if h == nil {
		h = new(stats.Histogram)
		l.ops.times[o.Code] = h
	}
	h.Add(time.Duration(l.clock.now - began))
}
