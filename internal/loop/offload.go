package loop

import (
	"context"
	"runtime/debug"
	"time"

	"ringo/internal/labels"
	"ringo/internal/offload"
)

// call is a function that a task has handed to an ordinary goroutine.
type call struct {
	job  offload.Job
	pool *offload.Pool
	task *Task
	ctx  context.Context
	fn   func(context.Context) error
	err  error
	// panicked is set if fn did; done tells a Goexit from a return.
	panicked *PanicError
	done     bool
	in       string // which of the two
	labels   labels.Set
}

// Offload runs fn on an ordinary goroutine, for calls that wait. T, parks.
func (l *Loop) Offload(fn func(context.Context) error) error {
	return l.call(l.set.offload, inOffload, fn)
}

// Compute runs fn on an ordinary goroutine, for calls that compute. T, parks.
func (l *Loop) Compute(fn func(context.Context) error) error {
	return l.call(l.set.compute, inCompute, fn)
}

func (l *Loop) call(pool *offload.Pool, in string, fn func(context.Context) error) error {
	if l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	c := &call{pool: pool, task: l.cur, ctx: l.Context(), fn: fn, in: in, labels: labels.Current()}
	c.job.Run = c.run
	if !pool.Submit(&c.job) {
		return ErrEnded
	}
	l.Park(c)
	if c.ctx.Err() != nil {
		l.cur.ext.Load().lookAtContexts()
	}
	if c.panicked != nil {
		panic(l.cfg.showPanic(c.panicked))
	}
	return late(c.ctx, c.err)
}

// run is the goroutine's side.
func (c *call) run() {
	defer c.task.l.ReadyFrom(c.task)
	defer func() {
		if c.done {
			return
		}
		c.err = ErrGoexit
		if v := recover(); v != nil {
			c.panicked = &PanicError{Value: v, Stack: debug.Stack(), In: c.in}
		}
	}()
	c.labels.Apply()
	c.err = c.fn(c.ctx)
	c.done = true
}

// CancelWait takes the call back if it has not begun. If it has, its context is
// done and the task waits for it, because it may write to what the task owns.
func (c *call) CancelWait(t *Task) {
	if c.pool.TryCancel(&c.job) {
		c.err = t.cause()
		t.l.Ready(t)
	}
}

// closeLanes waits for the goroutines of calls that have returned. After Run has
// given up nobody waits for the others.
func (s *Set) closeLanes() {
	within := time.Second
	select {
	case <-s.gaveUp:
		within = 0
	default:
	}
	s.offload.Close(within)
	s.compute.Close(within)
}
