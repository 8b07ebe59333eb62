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
	as    As
	ctx   context.Context
	fn    func(context.Context) error
	err   error
	timer timer.Timer // for the time by which the call must have begun
	// panicked is set if fn has panicked; done is set if fn has returned, so that a Goexit is known.
	panicked *PanicError
	done     bool
	labels   labels.Set
}

// Offload runs fn on an ordinary goroutine, for calls that wait. T, parks.
func (l *Loop) Offload(fn func(context.Context) error) error {
	return l.OffloadIn(lane.Offload, fn)
}

// OffloadIn is Offload with a slot of another lane. T, parks.
func (l *Loop) OffloadIn(in lane.Lane, fn func(context.Context) error) error {
	return l.OffloadAs(As{}, in, fn)
}

// As is what OffloadAs knows of a call. All fields may be zero.
type As struct {
	By   time.Time   // if no slot is free by then the function does not run; it does not end one that has begun
	Wait Describer   // describes what the task waits for, in place of the call
	Over Interrupter // for a function whose waits its context does not end
}

// Interrupter is called when a task is cancelled, or its time is over, while its call runs.
type Interrupter interface {
	// Interrupt runs on the loop's thread, and must not wait.
	Interrupt()
}

// OffloadAs is OffloadIn for a call of which more is known. T, parks.
func (l *Loop) OffloadAs(as As, in lane.Lane, fn func(context.Context) error) error {
	c := &call{lane: &l.set.lanes[in], as: as, fn: fn}
	if l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	c.task, c.ctx, c.labels = l.cur, l.Context(), labels.Current()
	if l.cur.shield > 0 { // or the context would end waits in the function
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
	if !as.By.IsZero() {
		c.timer.Owner = c
		l.timers.Arm(&c.timer, l.At(as.By))
	}
	l.Park(c)
	if !as.By.IsZero() {
		l.timers.Remove(&c.timer)
	}
	if c.ctx.Err() != nil {
		l.cur.ext.Load().lookAtContexts()
	}
	return c.result()
}

// result returns what Offload returns, or passes on the panic of fn.
func (c *call) result() error {
	if c.panicked != nil {
		panic(c.task.l.cfg.showPanic(c.panicked))
	}
	return late(c.ctx, c.err)
}

// run is the part that runs on the goroutine.
func (c *call) run() {
	defer c.task.ready()
	c.labels.Apply()
	c.runHere()
}

// runHere calls the function, and keeps its error or its panic.
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

// in returns the value of PanicError.In for the call.
func (c *call) in() string {
	if c.lane.Lane() == lane.Compute {
		return inCompute
	}
	return inOffload
}

// CancelWait takes the call back if it has not begun. If it has begun its context is done, and the task waits until
// the function returns, because the function may use memory of the task.
func (c *call) CancelWait(t *Task) {
	if c.lane.TryCancel(&c.job) {
		c.givenUp(t.cause())
	} else if c.as.Over != nil {
		c.as.Over.Interrupt()
	}
}

// Fire takes the call back if it has not begun in time.
func (c *call) Fire(*timer.Timer) {
	if c.lane.TryGiveUp(&c.job) {
		c.givenUp(os.ErrDeadlineExceeded)
	}
}

func (c *call) givenUp(cause error) {
	c.err = c.lane.Late(cause)
	c.task.l.Ready(c.task)
}
