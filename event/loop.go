package event

import (
	"context"
	"fmt"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// A Loop runs callbacks on a ringo.Loop; On returns it. It and everything that it makes belong to the loop's thread:
// only callbacks and tasks of the loop may use them, unless a method says otherwise.
type Loop struct {
	l       *loop.Loop
	queue   queue
	running callback   // the object whose callbacks are running
	left    int        // how many callbacks are still to run in this turn
	broke   uint64     // the turn in which a callback did not return, plus 1: left are those after it
	runs    bool       // the runner was started
	task    *loop.Task // the runner's task, once it has begun
	shown   shown

	conns   list
	others  *activity
	active  int // how many of both keep Wait from returning
	endless int // how many of these never end by themselves
	waiting loop.TaskList
	stopped bool  // calls that start something are refused
	holds   int   // how many callers are in Wait or endBy: until then a stop is not over
	final   bool  // stopped stays set
	whole   bool  // it is a loop of this package's Run
	failed  error // the error of a listener without OnClose, which Wait has not returned yet
	over    bool  // Run's Wait has returned, so what Unref was called for is to end, too
	hooks   [hookKinds][]*Hook
	hooked  int    // how many hooks there are
	checked uint64 // the turn in which the checks were called, plus 1

	tools     stream.Tools
	send      op.Op // for plain calls, one at a time
	both      op.Op // for sends of accepted bytes together with others
	ext       op.Ext
	name      sys.Sockaddr
	frozen    frozen
	rechecks  rechecks
	fillings  map[*Conn]*filling
	unsent    int // bytes of all connections and sockets that wait for room
	unsentMax int
	open      loop.Handle
}

// unsentMax is the default of Loop.SetUnsentMax.
const unsentMax = 64 << 20

// On returns the Loop of l, always the same one. Only a task of l may call it; for other callers it panics.
func On(l *ringo.Loop) *Loop {
	inner := (*loop.Loop)(l)
	if !inner.IsCurrent() {
		panic("event: On from outside the loop's tasks")
	}
	if k, ok := inner.Above().Events.(*kept); ok {
		return (*Loop)(k)
	}
	e := &Loop{l: inner, send: op.Op{Code: op.Send},
		unsentMax: unsentMax}
	e.both = op.Op{Code: op.Sendmsg, Ext: &e.ext}
	e.tools.Init(inner)
	e.rechecks.Init(inner)
	inner.Above().Events = (*kept)(e)
	inner.Handles().Register(&e.open, (*opened)(e))
	return e
}

// Run runs loops, as ringo.Run does, and calls fn on each, as a task, to set up callbacks. It returns once nothing is
// active any more on any loop (see Loop.Wait) and no task is left, or with the first error of any fn. When ctx ends the
// loops drain: see ringo.Run and Loop.Wait. Config.Loops is the number of loops, by default one per CPU. Any goroutine
// may call it; a task gets an error.
func Run(ctx context.Context, cfg *ringo.Config, fn func(l *Loop) error) error {
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		e := On(l)
		e.whole = true
		err := fn(e)
		if err == nil {
			err = e.wait()
		}
		e.over, e.final = true, e.stopped || err != nil
		e.closeRest()
		e.Wait()
		return err
	})
}

// Ringo returns the loop that has the thread, for its tasks, clock and statistics. Any goroutine may call it.
func (e *Loop) Ringo() *ringo.Loop { return (*ringo.Loop)(e.l) }

// Post starts fn as a task of the loop, as ringo.Loop.Post does. Any goroutine may call it. It returns ringo.ErrEnded
// when the loop has ended.
func (e *Loop) Post(fn func()) error { return e.Ringo().Post(fn) }

// Wait parks until nothing is active on the loop any more: no listener, connection, timer or other source of callbacks.
// In a drain, which ringo.Run begins when its context ends, listeners end by themselves, and Wait waits for
// connections, AfterFunc and Go; once nothing else is active it stops the sources that never end: Every, hooks, Wakers,
// Signals and Polls. When its task is cancelled, as happens when Config.Grace is over, it does what Stop does, and
// returns the cause. Otherwise it returns the error of a listener that has ended and has no OnClose, if any. Only a
// task may call it.
func (e *Loop) Wait() error {
	e.taskHere("Loop.Wait")
	err := e.wait()
	e.reopen()
	return err
}

// wait is Wait, but leaves the loop stopped.
func (e *Loop) wait() (err error) {
	defer func() {
		if err == nil {
			err, e.failed = e.failed, nil
		}
	}()
	if e.active == 0 {
		return nil
	}
	e.holds++
	defer func() { e.holds-- }()
	for {
		if err == nil && e.l.Canceled() {
			err = e.l.Cause()
			e.closeAll()
		}
		if e.active == 0 {
			return err
		}
		e.waiting.Push(e.l.Task())
		e.settle()
		if err != nil {
			e.l.Shield()
		}
		e.l.Park((*waiting)(e))
		if err != nil {
			e.l.Unshield()
		}
	}
}

// SetUnsentMax bounds the unsent bytes of all of the loop's connections together; the default is 64 MiB. Each write
// that waits separately counts 64 bytes more than its own. Beyond the bound writes to a connection that has unsent
// bytes fail with ErrFull. It panics if n is negative.
func (e *Loop) SetUnsentMax(n int) {
	e.here("Loop.SetUnsentMax")
	wantBound("Loop.SetUnsentMax", n)
	e.unsentMax = n
}

// wantBound panics for a negative bound.
func wantBound(method string, n int) {
	if n < 0 {
		panic(fmt.Sprintf("event: %s of %d", method, n))
	}
}

// taskHere is here for a method that parks. It also panics in callbacks: all other callbacks would wait for them, and
// they for the others.
func (e *Loop) taskHere(method string) {
	e.here(method)
	if e.runs && e.l.Task() == e.task {
		panic("event: " + method + " in a callback, which must not wait: start a task for it (ringo.Loop.Go)")
	}
}

// here panics for callers that are not on the loop's thread.
func (e *Loop) here(method string) *Loop {
	if !e.l.IsCurrent() {
		notHere(e.l, method)
	}
	return e
}

func notHere(l *loop.Loop, method string) {
	if l.Ended() {
		panic("event: " + method + " after the loop has ended")
	}
	panic("event: " + method + " from outside the loop's thread: use Loop.Post to get there")
}

// waiting is the loop as what a task in Wait waits for.
type waiting Loop

// CancelWait resumes a cancelled task, which ends what is active.
func (w *waiting) CancelWait(t *loop.Task) {
	w.waiting.Remove(t)
	w.l.Ready(t)
}

// DescribeWait says that the task is in Wait.
func (w *waiting) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op = "event.Loop.Wait" }

// hasRest reports whether only activities with Unref are left, and are to end as well.
func (e *Loop) hasRest() bool {
	return e.over && e.active == 0 && (e.others != nil || e.conns.first != nil)
}

// closeRest ends all that is left, and makes Wait wait for it, so that it ends in order.
func (e *Loop) closeRest() {
	for a := e.others; a != nil; a = a.next {
		a.Ref()
	}
	for c := e.conns.first; c != nil; c = c.next {
		c.Ref()
	}
	e.closeAll()
}

// opened is the loop's callbacks as something that is open on the loop.
type opened Loop

// Drain is called when accepting has stopped, which listeners handle, and when Grace has ended. It ends the sources
// that no other activity is left for.
func (o *opened) Drain() {
	e := (*Loop)(o)
	if e.l.Stopping() {
		e.closeAll()
	}
	e.settle()
}

// Abandon closes what is left at the end of the loop, when no callback can be called any more.
func (o *opened) Abandon() {
	e := (*Loop)(o)
	e.closeAll()
	for c := e.conns.first; c != nil; {
		next := c.next
		c.abandon()
		c = next
	}
}

// kept is the loop's callbacks as what the loop keeps for this package.
type kept Loop

// Trim gives back memory that was not used lately.
func (k *kept) Trim() (more bool) {
	if e := (*Loop)(k); e.queue.len() == 0 && len(e.queue.items) > queueKept {
		e.queue.items = nil
	}
	k.rechecks.Trim()
	return k.tools.Trim()
}

// queueKept is how many places an empty queue may keep.
const queueKept = 1024
