package loop

import (
	"context"
	"os"
	"reflect"
	"runtime/debug"
	"time"

	"ringo/internal/lane"
	"ringo/internal/offload"
	"ringo/internal/rt/labels"
	"ringo/internal/timer"
)

// call is a function that a task has handed to an ordinary goroutine.
type call struct {
	job   offload.Job
	lane  *lane.Slots
	task  *Task
	as    Describer // what it stands in for; nil: nothing
	over  Interrupter
	ctx   context.Context
	fn    func(context.Context) error
	err   error
	timer timer.Timer // of the time by which it must have begun
	// panicked is set if fn did; done tells a Goexit from a return.
	panicked *PanicError
	done     bool
	labels   labels.Set
}

// Offload runs fn on an ordinary goroutine, for calls that wait. T, parks.
func (l *Loop) Offload(fn func(context.Context) error) error {
	return l.OffloadIn(lane.Offload, fn)
}

// Compute runs fn on an ordinary goroutine, for calls that compute. T, parks.
func (l *Loop) Compute(fn func(context.Context) error) error {
	return l.OffloadIn(lane.Compute, fn)
}

// OffloadIn is Offload with a slot of another lane. T, parks.
func (l *Loop) OffloadIn(in lane.Lane, fn func(context.Context) error) error {
	return l.OffloadAs(nil, time.Time{}, in, fn)
}

// OffloadAs is OffloadIn of an fn that is not run if no slot has come free by some time; the zero time is no limit.
// Once it runs its end is its own business. Those who look at the task see that it waits for what as says, if that is
// not nil. T, parks.
func (l *Loop) OffloadAs(as Describer, by time.Time, in lane.Lane, fn func(context.Context) error) error {
	return l.offload(&call{lane: &l.set.lanes[in], as: as, fn: fn}, by)
}

// Interrupter hears when a task is cancelled, or its time is over, whose call is under way.
type Interrupter interface {
	// Interrupt runs on the loop's thread, and must not wait.
	Interrupt()
}

// OffloadFor is OffloadIn of an fn that waits for what its context does not end, but over does. T, parks.
func (l *Loop) OffloadFor(over Interrupter, in lane.Lane, fn func(context.Context) error) error {
	return l.offload(&call{lane: &l.set.lanes[in], over: over, fn: fn}, time.Time{})
}

func (l *Loop) offload(c *call, by time.Time) error {
	if l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	c.task, c.ctx, c.labels = l.cur, l.Context(), labels.Current()
	if l.cur.shield > 0 { // what the function asks of its context is a wait, too
		c.ctx = context.WithoutCancel(c.ctx)
	}
	if here, err := l.set.world.Offload(l, c.lane.Lane(), c.runHere); err != nil {
		return err
	} else if here {
		return c.result()
	}
	c.job.Run, c.job.What = c.run, reflect.ValueOf(c.fn).Pointer()
	if !c.lane.Submit(&c.job) {
		return ErrEnded
	}
	if !by.IsZero() {
		c.timer.Owner = c
		l.timers.Arm(&c.timer, l.At(by))
	}
	l.Park(c)
	if !by.IsZero() {
		l.timers.Remove(&c.timer)
	}
	if c.ctx.Err() != nil {
		l.cur.ext.Load().lookAtContexts()
	}
	return c.result()
}

// result is what Offload gives back.
func (c *call) result() error {
	if c.panicked != nil {
		panic(c.task.l.cfg.showPanic(c.panicked))
	}
	return late(c.ctx, c.err)
}

// run is the goroutine's side.
func (c *call) run() {
	defer c.task.l.ReadyFrom(c.task)
	c.labels.Apply()
	c.runHere()
}

// runHere calls the function, and keeps what becomes of it.
func (c *call) runHere() {
	defer func() {
		if c.done {
			return
		}
		c.err = ErrGoexit
		if v := recover(); v != nil {
			c.panicked = &PanicError{Value: v, Stack: debug.Stack(), In: c.in()}
		}
	}()
	c.err = c.fn(c.ctx)
	c.done = true
}

// in is what the call is in, to users.
func (c *call) in() string {
	if c.lane.Lane() == lane.Compute {
		return inCompute
	}
	return inOffload
}

// CancelWait takes the call back if it has not begun. If it has, its context is
// done and the task waits for it, because it may write to what the task owns.
func (c *call) CancelWait(t *Task) {
	if c.lane.TryCancel(&c.job) {
		c.givenUp(t.cause())
	} else if c.over != nil {
		c.over.Interrupt()
	}
}

// Fire is told when the time has passed by which it was to begin.
func (c *call) Fire(*timer.Timer) {
	if c.lane.TryGiveUp(&c.job) {
		c.givenUp(os.ErrDeadlineExceeded)
	}
}

func (c *call) givenUp(cause error) {
	c.err = c.lane.Late(cause)
	c.task.l.Ready(c.task)
}
