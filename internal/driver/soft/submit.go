package soft

import (
	"fmt"
	"math"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Submit queues the op for the next Wait.
func (d *engine) Submit(o *op.Op) {
	d.own("Submit")
	if o.State != op.Idle || d.closed {
		panic(fmt.Sprintf("driver/soft: submit of %s in state %d (driver closed: %v)", o.Def().Name, o.State, d.closed))
	}
	if o.FD != nil {
		o.FD.Ref()
	}
	o.State, o.Mode = op.Queued, modeQueued
	d.stats.Submitted++
	d.queue.Push(o)
}

// start begins a submitted op: it arms a timer, gives the op to the offload, or tries it as a plain call.
func (d *engine) start(o *op.Op) {
	if o.Canceled {
		d.end(o, o.Failed(-sys.ECANCELED), 0)
		return
	}
	o.State = op.InFlight
	switch def := o.Def(); def.Kind {
	case op.Timed:
		o.Mode = modeTimer
		d.timers.add(after(d.now(), o.Ext.Time.Sec*1e9+o.Ext.Time.Nsec), o)
	case op.Blocking:
		d.offload(o)
	case op.Pollable:
		d.wait(o)
	default:
		d.end(o, d.immediate(o), 0)
	}
}

// immediate runs an op that never waits.
func (d *engine) immediate(o *op.Op) int32 {
	return attempt(o)
}

// bounded returns the result of an op. If that is a new descriptor that is too high for the poller, bounded closes it
// and returns -EMFILE instead: callers know that as a limit of the process, and a listener goes on accepting.
func (d *engine) bounded(o *op.Op, res int32) int32 {
	if res < d.bound || !o.Def().FDResult {
		return res
	}
	sys.Close(res)
	return -sys.EMFILE
}

// wait puts an op into its registration, where readiness finds it, and tries it if it is the first of its direction. If
// the owner has just tried the op (op.Tried), wait does not try it again.
func (d *engine) wait(o *op.Op) {
	r := d.regs.get(o.FD)
	switch {
	case o.Flags&op.Multishot != 0 && !repeatable(o):
		d.end(o, -sys.EINVAL, 0)
	case o.Code == op.Poll:
		d.startPoll(r, o)
	case (o.Code == op.Read || o.Code == op.Write) && r.isFile():
		d.offload(o)
	default:
		s := r.directionOf(o)
		o.Mode = modeInDirection
		s.Push(o)
		if s.First() != o {
			return
		}
		if o.Flags&op.Tried != 0 {
			s.ready = 0
		}
		d.advance(r, s)
		d.arm(r)
	}
}

// repeatable reports whether the op can be multishot, by the kernel's rule: a receive must take a buffer for each
// completion.
func repeatable(o *op.Op) bool {
	return o.Def().Multishot && (!o.Def().Select || o.Flags&op.Select != 0)
}

// startPoll completes a Poll op if the descriptor is ready now. If it is not, or the op is multishot, startPoll adds
// the op to the watchers. It asks for the present state only on an edge-triggered poller that knows the descriptor:
// otherwise the poller reports the present state by itself, after arm. If the owner has just asked in vain (op.Tried),
// a later change makes an edge.
func (d *engine) startPoll(r *registration, o *op.Op) {
	if d.edge && r.armed != 0 && o.Flags&op.Tried == 0 {
		res := attempt(o)
		switch {
		case res == -sys.EAGAIN:
		case res > 0 && o.Flags&op.Multishot != 0:
			d.yield(o, res, 0)
		default:
			d.end(o, res, 0)
			return
		}
	}
	o.Mode = modeWatch
	r.watch.Push(o)
	d.arm(r)
}

// Cancel takes the op out of the list that it waits in. A call that a worker has begun goes on, and the op completes
// when the call ends.
func (d *engine) Cancel(o *op.Op) {
	d.own("Cancel")
	if o.State != op.Queued && o.State != op.InFlight {
		panic(fmt.Sprintf("driver/soft: cancel of %s, which is not submitted (state %d)", o.Def().Name, o.State))
	}
	if o.Canceled {
		return
	}
	o.Canceled = true
	switch o.Mode {
	case modeQueued:
		return // start sees it
	case modeInDirection, modeWatch:
		d.withdraw(o)
	case modeTimer:
		d.timers.remove(o)
	case op.ModeFile:
		if !d.cancelJob(o) {
			return
		}
	}
	o.Mode = modeEnded
	d.ended.Push(o)
}

// withdraw takes a waiting op out of its registration. The op behind it moves up, and the next Wait tries that if the
// direction is ready.
func (d *engine) withdraw(o *op.Op) {
	r := d.regs.get(o.FD)
	from := &r.watch
	if o.Mode == modeInDirection {
		s := r.directionOf(o)
		from = &s.List
		if s.ready != 0 {
			d.heat(r)
		}
	}
	if !from.Remove(o) {
		panic(fmt.Sprintf("driver/soft: %s is not where it waits (fd %d)", o.Def().Name, r.sys))
	}
	if !d.edge {
		d.arm(r)
	}
}

// after returns the time d from now: now if d is not positive, and at most math.MaxInt64.
func after(now, d int64) int64 {
	if d <= 0 {
		return now
	}
	if now > math.MaxInt64-d {
		return math.MaxInt64
	}
	return now + d
}
