package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/stats"
)

// Ops are a loop's operations: their slots, the driver that does them, and counts by kind.
type Ops struct {
	l         *Loop
	slab      *op.Slab
	plain     driver.Plain // the driver; nil if it has no calls without ops
	tried     [op.Codes]uint64
	submitted [op.Codes]uint64
	times     [op.Codes]*stats.Histogram // made for the first of a kind
}

// New takes a slot; nil at the bound of op.SlotsMax ops.
func (o *Ops) New(code op.Code) *op.Op { return o.slab.Get(code) }

// AreOf reports whether these are the ops of a slab, by which a test finds a loop's driver.
func (o *Ops) AreOf(slab *op.Slab) bool { return o.slab == slab }

// Ext gives the op memory for addresses and vectors.
func (o *Ops) Ext(x *op.Op) *op.Ext { return o.slab.Ext(x) }

// Free gives a slot back, after its last completion. A task that a crash unwinds gives back what is still under way:
// that stays its driver's.
func (o *Ops) Free(x *op.Op) {
	if o.l.life.killed && x.State != op.Idle {
		return
	}
	o.slab.Put(x)
}

// Submit hands an op to the driver. Its Sink is told of the completions.
func (o *Ops) Submit(x *op.Op) {
	o.submitted[x.Code]++
	o.l.drv.Submit(x)
}

// Cancel asks for the end of an op; false if it has ended already: its last completion is on its way to its Sink, or
// was told.
func (o *Ops) Cancel(x *op.Op) bool {
	if x.State != op.Queued && x.State != op.InFlight {
		return false
	}
	o.l.drv.Cancel(x)
	return true
}

// Try runs an op as a plain call if it need not wait. G.
func (o *Ops) Try(x *op.Op) (res int32, ok bool) {
	if o.l.mark.IsCurrent() {
		o.tried[x.Code]++
	}
	return o.l.drv.Try(x)
}

// Plain is how the driver receives and sends without an op; nil if it does not. G.
func (o *Ops) Plain() driver.Plain { return o.plain }

// Time has an op timed that is about to be submitted: for one that somebody waits for, and not for one that is
// armed and stands, because how long that did says nothing. It is not part of Submit, which is to be inlined
// (TestParkedStacks of sock).
func (o *Ops) Time(x *op.Op) { o.slab.Begin(x, o.l.clock.now) }

// countEnd takes the time of an op that has ended, by the clock of turns.
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
