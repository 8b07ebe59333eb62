package ringo

import (
	"context"
	"errors"
	"time"

	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/sys"
)

// Run makes the loops, then calls fn once per loop, on all of them at the same time, as each loop's first task;
// variables that fn captures are shared between threads. Run returns once every fn and every task has ended. Any
// goroutine may call it, several at a time. A task gets an error, because Run would stop its loop. A goroutine in a
// bubble of testing/synctest gets ErrBubble.
//
// When ctx ends, listeners stop, open connections have Config.Grace to finish, and then all tasks are cancelled. If no
// cancelled task ends for 5 s, not counting time in which the machine is too busy to run the loops, or if tasks are
// left after 30 s, Run gives up with an error that names them. The first error of any fn cancels all tasks at once, and
// Run returns it; once ctx has ended, net.ErrClosed and the contexts' errors from fn count as an orderly end, and Run
// returns nil. If a loop can't be made, Run fails with a *SetupError before any fn starts. When a loop ends, it closes
// all handles still open on it, even those that goroutines use. Goroutines do not keep a loop alive: to keep it running
// for a server that runs on goroutines, wait for the server in Offload (see package sock).
//
// Ringo's own messages go to Config.Logger, or else to stderr through a buffer of 256 KiB, so that no loop waits for
// stderr; messages that do not fit are dropped and counted. At its end Run waits at most 1 s until the rest is written.
//
// While loops run, GOMAXPROCS is raised by their number, because a loop that sleeps in the kernel keeps one of the
// scheduler's Ps for a while. Unless a Run has a Reserve, GOMAXPROCS is lowered again while all loops are idle. While
// there are loops, the runtime does not adapt it to CPUs or quotas that change; behind the last Run it does, if it did
// before.
func Run(ctx context.Context, cfg *Config, fn func(l *Loop) error) error {
	if l, _ := loop.Current(); l != nil {
		return errRunInTask
	}
	if fn == nil {
		return errors.New("ringo: Run of a nil function")
	}
	c, err := cfg.resolve()
	if err != nil {
		return err
	}
	defer onStderr.await(noticesPatience)
	if d, _ := debugSettings(); d.quit || cfg != nil && cfg.TasksOnQuit {
		defer watchQuit()()
	}
	return loop.Run(ctx, c, func(l *loop.Loop) error {
		l.RunsFor(code.Of(fn))
		return fn((*Loop)(l))
	})
}

var errRunInTask = errors.New("ringo: Run from inside a task, which would stop its loop: call it from a goroutine or " +
	"in Loop.Offload")

// A Loop is one thread and the tasks that it runs. Run makes it.
//
// Any goroutine may call Go, Post, Call, OnDrain and the methods that describe the loop. Sleep, Yield, Context, Now,
// AfterFunc, NewTicker, WithTimeout, WithContext, Offload and Compute act on the running task, and panic unless the
// caller is a task of this loop.
type Loop loop.Loop

func (l *Loop) engine() *loop.Loop { return (*loop.Loop)(l) }

// task returns the engine, for a method that only a task may call; for other callers it panics.
func (l *Loop) task(method string) *loop.Loop {
	wantHere(l.engine(), method)
	return l.engine()
}

// wantHere panics unless the caller is a task of the loop. method is the name in the message.
func wantHere(l *loop.Loop, method string) {
	switch {
	case l.IsCurrent():
	case l.Ended():
		panic("ringo: " + method + " after the loop has ended")
	default:
		panic("ringo: " + method + " from outside the loop's tasks")
	}
}

// Go starts fn as a task; fn begins after Go has returned. fn runs even if the task is cancelled before it starts, so
// that its deferred functions run. Any goroutine may call it; on a loop that has ended, the task's Wait returns
// ErrEnded. The task inherits the runtime/pprof labels of the caller, as goroutines do, and, if the caller is a task,
// the values of its Context.
func (l *Loop) Go(fn func()) *Task {
	wantFunc(fn != nil, "Loop.Go")
	return (*Task)(l.engine().Go(fn))
}

// GoNamed is like Go, but names the task. Loop.Tasks, reports, crashes and Run's error show the name; Loop.Holds, which
// counts by place in the code, shows the function. Any goroutine may call it.
func (l *Loop) GoNamed(name string, fn func()) *Task {
	wantFunc(fn != nil, "Loop.GoNamed")
	return (*Task)(l.engine().GoNamed(name, fn))
}

// GoBackground is like Go, for a housekeeping task, such as one that syncs a file every second: it keeps neither its
// loop nor a drain from ending. The task runs on, even in a drain, until all other tasks of the loop have ended, and
// the connections that the loop waits for. Then it is cancelled, and the loop ends when it has returned. Even after the
// cancel it may start tasks, and the loop waits for these. Any goroutine may call it.
//
// The task may outlive the function that started it, and use files that this function closes. If it does, end the task
// first, by a defer after that of their Close:
//
//	bg := l.GoBackground(func() { syncEach(l, f) })
//	defer func() { bg.Cancel(); bg.Wait() }()
func (l *Loop) GoBackground(fn func()) *Task {
	wantFunc(fn != nil, "Loop.GoBackground")
	return (*Task)(l.engine().GoBackground(fn))
}

// Post starts fn as a task, without returning a Task and without allocating in steady state. Functions that one sender
// posts start in order, except that those of different classes (Loop.WithClass) start at the turns of their classes.
// Any goroutine may call it. It returns ErrEnded when the loop has ended, or is about to end and accepts nothing more
// from outside. If it returns nil, fn runs.
func (l *Loop) Post(fn func()) error {
	wantFunc(fn != nil, "Loop.Post")
	return l.engine().Post(fn)
}

// Context returns the running task's context. Its values are those of an enclosing WithContext, of the context where
// the task was started, and of Run's context, in this order. It is done when the task is cancelled or has ended, not
// when Run's context ends. Inside a WithTimeout it has that deadline. Only a task may call it.
func (l *Loop) Context() context.Context { return l.task("Loop.Context").Context() }

// Sleep parks the running task for at least d. It returns context.Canceled if the task is cancelled, and the errors of
// WithTimeout and WithContext when an enclosing one ends. Only a task may call it.
func (l *Loop) Sleep(d time.Duration) error {
	e := l.task("Loop.Sleep")
	if e.Sleep(d) == -sys.ECANCELED {
		return e.Cause()
	}
	return nil
}

// Yield parks the running task until all other ready tasks have run and the loop has polled the kernel. Call it during
// long work between waits. A cancel does not shorten it. A task of a Class waits for its class's turn. Tasks whose
// calls never need to wait yield by themselves after a while. Only a task may call it.
func (l *Loop) Yield() { l.task("Loop.Yield").YieldTurn() }

// Call runs fn as a task of the loop and waits until it has ended: a task parks, a goroutine blocks. It returns fn's
// error, the error of Task.Wait if fn did not return, or ErrEnded if the loop had ended and fn never ran. Any goroutine
// may call it.
//
// If the caller is a task, of this or another loop, fn runs in a Loop.WithContext of the caller's Loop.Context: fn's
// waits end when the caller is cancelled or timed out, with the same error. (The cause of a deadline is an exception:
// in a block inside the one with that deadline, Loop.Context does not have it.) Call always waits until fn has ended.
// Goroutines can limit fn by a WithContext inside it.
func (l *Loop) Call(fn func() error) error {
	wantFunc(fn != nil, "Loop.Call")
	e := l.engine()
	run := fn
	if client, _ := loop.Current(); client != nil {
		ctx := client.Context()
		run = func() error { return e.WithContext(ctx, fn) }
	}
	var err error
	task := func() {
		e.RunsFor(code.Of(fn))
		err = run()
	}
	if end := e.Go(task).Wait(); end != nil {
		return end
	}
	return err
}

// Now returns the time by the loop's clock, which is read once a turn: accurate enough for deadlines, too coarse for
// measurements. Only a task may call it.
func (l *Loop) Now() time.Time { return l.task("Loop.Now").Now() }

// AfterFunc runs fn as a task after d. A timer that has not fired does not keep the loop alive. Only a task may call
// it.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	e := l.task("Loop.AfterFunc")
	wantFunc(fn != nil, "Loop.AfterFunc")
	return (*Timer)(e.AfterFunc(d, fn))
}

// Offload runs fn on an ordinary goroutine, parks the task meanwhile, and returns fn's error once fn has returned, so
// fn may write to captured variables. Use it for functions that block in other ways than through Ringo. ctx is the
// task's: fn should return when it is done. At most Config.Offload calls run at once; further ones queue. If the task
// is cancelled while its call is queued, fn does not run and the error is context.Canceled; if a WithTimeout ends
// meanwhile, the error says that no slot came free. Calls that have queued for a second are reported on stderr,
// together with the calls that have the slots; Stats.Lanes counts them. A panic of fn is raised in the task as a
// *PanicError. Only a task may call Offload.
func (l *Loop) Offload(fn func(ctx context.Context) error) error {
	e := l.task("Loop.Offload")
	wantFunc(fn != nil, "Loop.Offload")
	return e.Offload(fn)
}

// Compute is Offload for CPU-bound work. The number of calls that run at once is at most GOMAXPROCS, without what Runs
// have added to it, less the number of loops, but at least one. With Config.Reserve it is also at most the number of
// CPUs left to other threads than the loops'. A task parks.
func (l *Loop) Compute(fn func(ctx context.Context) error) error {
	e := l.task("Loop.Compute")
	wantFunc(fn != nil, "Loop.Compute")
	return e.OffloadIn(lane.Compute, fn)
}

// Index returns the loop's number in its Run, from 0. Any goroutine may call it.
func (l *Loop) Index() int { return l.engine().Index() }

// Loops returns the loops of this Run, by index. Any goroutine may call it.
func (l *Loop) Loops() []*Loop { return loopsOf(l.engine().Set().Loops()) }

// Loops returns all running loops of the process, of every Run, in the order in which they began. It is meant for
// diagnostics; [Info] says which Run a loop belongs to. Any goroutine may call it; it does not park.
func Loops() []*Loop { return loopsOf(loop.Running()) }

func loopsOf(engines []*loop.Loop) []*Loop {
	loops := make([]*Loop, len(engines))
	for i, e := range engines {
		loops[i] = (*Loop)(e)
	}
	return loops
}

// A Timer starts a function later; Loop.AfterFunc makes it. Only tasks of its loop may call its methods.
type Timer loop.Timer

func (t *Timer) engine(method string) *loop.Timer {
	e := (*loop.Timer)(t)
	wantHere(e.Loop(), "Timer."+method)
	return e
}

// Stop keeps the function from being started. It returns false if it was started or stopped before.
func (t *Timer) Stop() bool { return t.engine("Stop").Stop() }

// Reset sets the timer to fire after d, and returns false if it was not set. Moving a timer later costs almost nothing.
func (t *Timer) Reset(d time.Duration) bool { return t.engine("Reset").Reset(d) }

// A Task is a function that runs, or ran, on a loop; Loop.Go and Current return it. It is never reused for another
// task.
type Task loop.Task

// Current returns the loop and the task in which the caller runs, even in an iterator that the task runs, and nil for
// both on an ordinary goroutine. With it a server's handler finds its loop, and a library for both kinds of callers
// finds out how to wait. A callback of package event runs in a task, too, but must not wait. In a task that neither Go
// nor Call has started, as in a server's handler or in Post, the first call allocates the Task. Any goroutine may call
// it; it does not park.
func Current() (*Loop, *Task) {
	l, t := loop.CurrentForGood()
	return (*Loop)(l), (*Task)(t)
}

// Wait waits until the task has ended. Any goroutine may call it; a task parks, even if it is cancelled, and panics if
// it waits for itself. Wait returns nil if fn has returned, cancelled or not; ErrGoexit if it called runtime.Goexit; a
// *PanicError if it panicked and Config.OnPanic is set; ErrEnded if the loop had ended and fn never ran, and for the
// zero Task.
func (t *Task) Wait() error { return (*loop.Task)(t).Wait() }

// Cancel makes the task's present and later waits fail with context.Canceled. Calls that can't fail, such as Close and
// Wait, still work in it. Any goroutine may call it.
func (t *Task) Cancel() { (*loop.Task)(t).Cancel() }
