package ringo

import (
	"context"
	"errors"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/sys"
)

// Run makes the loops, then calls fn once per loop, at the same time on each, as
// that loop's first task; what fn captures is shared between threads. It returns
// when every fn and every task has ended. Any goroutine may call it, several at a
// time; it waits, so a task, whose loop would stop meanwhile, gets an error, and
// so does a goroutine in a bubble of testing/synctest: ErrBubble.
//
// When ctx ends, accepts stop, what is open has Config.Grace to end, then all
// tasks are cancelled, and 5 s later Run gives up with an error that names the
// tasks left. The first error of any fn cancels all tasks at once and is
// returned; once ctx has ended, net.ErrClosed and the contexts' errors from fn
// count as an orderly end, which is nil. A loop that can't be made fails Run
// before any fn starts, with a *SetupError. At its end a loop closes what was
// left open on it, also what goroutines still use: they keep no loop alive, so a
// server that runs on some is waited for in Offload (see package sock).
//
// What Ringo itself has to say goes to Config.Logger, or else to stderr. No loop waits for stderr: what it does not
// take is kept, up to 256 KiB, then dropped and counted. The end of Run waits 1 s for it at most.
//
// While loops run, GOMAXPROCS is raised by their number, because a loop that
// sleeps in the kernel holds a processor of the scheduler for a while.
func Run(ctx context.Context, cfg *Config, fn func(l *Loop) error) error {
	if l, _ := loop.Current(); l != nil {
		return errRunInTask
	}
	if fn == nil {
		return noFunc("Run")
	}
	c, err := cfg.resolve()
	if err != nil {
		return err
	}
	defer onStderr.await(noticesPatience)
	if d, _ := debugSettings(); d.quit {
		defer TasksOnQuit()()
	}
	return loop.Run(ctx, c, func(l *loop.Loop) error {
		l.RunsFor(code.Of(fn))
		return fn((*Loop)(l))
	})
}

var errRunInTask = errors.New("ringo: Run from inside a task, which would stop its loop: call it from a goroutine or " +
	"in Loop.Offload")

// Loop is one thread with its tasks. Run makes it.
type Loop loop.Loop

func (l *Loop) engine() *loop.Loop { return (*loop.Loop)(l) }

// task gives the engine to a method that only a task may call.
func (l *Loop) task(method string) *loop.Loop {
	wantHere(l.engine(), method)
	return l.engine()
}

// wantHere panics for a method that can't give an error to who may not call it.
func wantHere(l *loop.Loop, method string) {
	switch {
	case l.IsCurrent():
	case l.Ended():
		panic("ringo: " + method + " after the loop has ended")
	default:
		panic("ringo: " + method + " from outside the loop's tasks")
	}
}

// Go starts fn as a task, after Go has returned. fn runs even if the task is
// cancelled before it starts, so that its deferred functions do. Any goroutine
// may call it; on a loop that has ended the task's Wait returns ErrEnded. As a goroutine,
// the task has the labels of runtime/pprof that its starter has, and of a task's
// Context the values.
func (l *Loop) Go(fn func()) *Task {
	wantFunc(fn != nil, "Loop.Go")
	return (*Task)(l.engine().Go(fn))
}

// GoNamed is Go of a task that has a name, by which Loop.Tasks, also of a loop that is held, reports, crashes and Run's
// error show it. Loop.Holds counts by place in the code, and goes by the function. Any goroutine may call it.
func (l *Loop) GoNamed(name string, fn func()) *Task {
	wantFunc(fn != nil, "Loop.GoNamed")
	return (*Task)(l.engine().GoNamed(name, fn))
}

// Post starts fn as a task, without a handle and without allocating in steady
// state. The posts of one sender start in order. Any goroutine may call it. It
// returns ErrEnded when the loop has ended.
func (l *Loop) Post(fn func()) error {
	if fn == nil {
		return noFunc("Loop.Post")
	}
	return l.engine().Post(fn)
}

// Context is the running task's context: it has the values of Run's context, before them
// those that it had where the task was started, and in a WithContext those of that; it
// is done when the task is cancelled or has ended, not when Run's context ends. In a
// WithTimeout it has that deadline. Only a task may call it.
func (l *Loop) Context() context.Context { return l.task("Loop.Context").Context() }

// Sleep parks the running task for d at least. It returns context.Canceled if the
// task is cancelled, os.ErrDeadlineExceeded at the end of a WithTimeout around it,
// ErrNotTask to other callers.
func (l *Loop) Sleep(d time.Duration) error {
	if !l.engine().IsCurrent() {
		return l.stranger()
	}
	if l.engine().Sleep(d) == -sys.ECANCELED {
		return l.engine().Cause()
	}
	return nil
}

// Yield parks the running task until all others that are ready, and the kernel, have had
// a turn: for long work between waits. A cancel does not shorten it. Only a task may call
// it. Calls that need not wait do so by themselves after a while.
func (l *Loop) Yield() { l.task("Loop.Yield").YieldTurn() }

// Call runs fn as a task of the loop, and waits for its end: a task parks, a goroutine
// blocks. It returns fn's error, or what Task.Wait says of a task that did not return,
// ErrEnded if the loop had ended and fn never ran. Any goroutine may call it.
//
// If a task calls, of this or another loop, fn runs in a Loop.WithContext of the caller's
// Loop.Context: its waits end when the caller is cancelled or its time is over, with the
// same error, and Call awaits its end in any case. Goroutines bound it by a WithContext
// inside fn.
func (l *Loop) Call(fn func() error) error {
	if fn == nil {
		return noFunc("Loop.Call")
	}
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

// Now is the loop's clock, read once a turn: good for deadlines, too coarse to
// measure with. Only a task may call it.
func (l *Loop) Now() time.Time { return l.task("Loop.Now").Now() }

// AfterFunc runs fn as a task after d. Only a task may call it. A timer that has
// not fired does not keep the loop alive.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	e := l.task("Loop.AfterFunc")
	wantFunc(fn != nil, "Loop.AfterFunc")
	return (*Timer)(e.AfterFunc(d, fn))
}

// Offload is for calls that wait in other ways than through Ringo. It runs fn on
// an ordinary goroutine, parks the task meanwhile, and returns when fn has, with
// its error, so fn may write to captured variables. ctx is the task's: fn should
// return when it is done. At most Config.Offload calls run at once, more queue;
// cancelled while queued, fn is not run and the error is context.Canceled, or one that
// says that no slot came free within a WithTimeout. Calls that have queued for a second
// are reported to stderr, with what has the slots; Stats.Lanes counts them. A panic of
// fn is raised in the task, as a *PanicError. ErrNotTask to other callers.
func (l *Loop) Offload(fn func(ctx context.Context) error) error {
	if err := l.checkCall(fn != nil, "Loop.Offload"); err != nil {
		return err
	}
	return l.engine().Offload(fn)
}

// Compute is Offload for work that keeps a processor busy: at most as many at
// once as GOMAXPROCS has over the number of loops, one at least.
func (l *Loop) Compute(fn func(ctx context.Context) error) error {
	if err := l.checkCall(fn != nil, "Loop.Compute"); err != nil {
		return err
	}
	return l.engine().Compute(fn)
}

func (l *Loop) checkCall(fn bool, method string) error {
	switch {
	case !l.engine().IsCurrent():
		return l.stranger()
	case !fn:
		return noFunc(method)
	}
	return nil
}

// Index is the loop's number in its Run, from 0. Any goroutine may call it.
func (l *Loop) Index() int { return l.engine().Index() }

// Loops are the loops of this Run, by index. Any goroutine may call it.
func (l *Loop) Loops() []*Loop { return loopsOf(l.engine().Set().Loops()) }

// Loops returns all loops of the process that run now, of every Run, in the order in which they began, for those who
// look at a program from inside. [Info] tells the Runs apart. Any goroutine may call it, and it does not park.
func Loops() []*Loop { return loopsOf(loop.Running()) }

func loopsOf(engines []*loop.Loop) []*Loop {
	loops := make([]*Loop, len(engines))
	for i, e := range engines {
		loops[i] = (*Loop)(e)
	}
	return loops
}

// Info describes the loop's driver, and why it was chosen. Any goroutine may call it.
func (l *Loop) Info() Info { return infoOf(l.engine().Info(), l.engine().Set().Number()) }

// Stats returns the loop's counters as of its last turn. Any goroutine may call it.
// Others than this loop's tasks wait for its answer, a task by parking, and if that
// takes a tenth of a second or the task is cancelled, they get what is known, see
// Stats.Held.
func (l *Loop) Stats() Stats { return statsOf(l.engine().Stats()) }

// Timer is what AfterFunc makes. Its methods are for tasks of its loop.
type Timer loop.Timer

func (t *Timer) engine(method string) *loop.Timer {
	e := (*loop.Timer)(t)
	wantHere(e.Loop(), "Timer."+method)
	return e
}

// Stop keeps the function from being started; false if it was started or stopped
// before.
func (t *Timer) Stop() bool { return t.engine("Stop").Stop() }

// Reset arms the timer anew for d from now; false if it was not armed. Moving a
// timer later costs next to nothing.
func (t *Timer) Reset(d time.Duration) bool { return t.engine("Reset").Reset(d) }

// Task is a function that runs on a loop, or ran: what Loop.Go returns. It is
// never used again for another task.
type Task loop.Task

// Wait joins the task. Any goroutine may call it, a task parks; a task that waits
// for itself panics. The join goes on even if the waiter is cancelled. It returns
// nil when fn has returned, cancelled or not; ErrGoexit; ErrEnded if the loop had
// ended and fn never ran, and of the zero Task; a *PanicError where Config.OnPanic is set.
func (t *Task) Wait() error { return (*loop.Task)(t).Wait() }

// Cancel makes the task's present and later waits fail with context.Canceled.
// Close, Wait and the like still work in it. Any goroutine may call it.
func (t *Task) Cancel() { (*loop.Task)(t).Cancel() }
