package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/stats"
)

// Ops are a loop's ops: their slots, the driver that runs them, and counts by kind.
type Ops struct {
	l         *Loop
	slab      *op.Slab
	plain     driver.Plain // the driver; nil if it can't receive and send without an op
	tried     [op.Codes]uint64
	submitted [op.Codes]uint64
	times     [op.Codes]*stats.Histogram // each made for the first op of its kind
}

// New takes a slot; nil if op.SlotsMax are in use.
func (o *Ops) New(code op.Code) *op.Op { return o.slab.Get(code) }

// AreOf reports whether the ops are in that slab, by which a test finds the driver of a loop.
func (o *Ops) AreOf(slab *op.Slab) bool { return o.slab == slab }

// Ext gives the op memory for addresses and vectors.
func (o *Ops) Ext(x *op.Op) *op.Ext { return o.slab.Ext(x) }

// Free gives a slot back, after the op's last completion. When a crash unwinds tasks they free ops that are still
// under way; Free leaves those to the driver.
func (o *Ops) Free(x *op.Op) {
	if o.l.life.killed && x.State != op.Idle {
		return
	}
	o.slab.Put(x)
}

// Submit hands an op to the driver. The op's Sink gets the completions.
func (o *Ops) Submit(x *op.Op) {
	o.submitted[x.Code]++
	o.l.drv.Submit(x)
}

// Cancel asks the driver to end an op; false if the op has ended: its last completion is on its way to its Sink, or
// has been there.
func (o *Ops) Cancel(x *op.Op) bool {
	if x.State != op.Queued && x.State != op.InFlight {
		return false
	}
	o.l.drv.Cancel(x)
	return true
}

// Try runs an op as a plain call, if it need not wait. G.
func (o *Ops) Try(x *op.Op) (res int32, ok bool) {
	if o.l.mark.IsCurrent() {
		o.tried[x.Code]++
	}
	return o.l.drv.Try(x)
}

// Plain returns the driver's calls that receive and send without an op; nil if it has none. G.
func (o *Ops) Plain() driver.Plain { return o.plain }

// Time begins to time an op that is about to be submitted. It is for ops that a task waits for, and not for ops that
// stay armed, whose time means nothing. It is not part of Submit, so that Submit is inlined (TestParkedStacks of
// sock).
func (o *Ops) Time(x *op.Op) { o.slab.Begin(x, o.l.clock.now) }

// countEnd counts how long an op took that has ended, by the times of turns.
func (o *Ops) countEnd(x *op.Op) {
	began := o.slab.Began(x)
	if began == 0 {
		return
	}
	h := o.times[x.Code]
	if h == nil {
		h = new(stats.Histogram)
		o.times[x.Code] = h
	}
	h.Add(time.Duration(o.l.clock.now - began))
}
