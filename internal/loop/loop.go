package loop

import (
	"context"
	"runtime"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/internal/rt/labels"
	"ringo/internal/rt/sched"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Loop is one thread with one driver. The comments of methods end with a letter that says who may call them: T means a
// task of this loop, G any goroutine. A method without a letter may be called on the loop's thread only, by a task or
// by a Sink.
type Loop struct {
	set    *Set
	index  int
	cfg    *Config
	drv    driver.Driver
	kernel kernel.Kernel
	info   driver.Info
	thread thread

	// No field is exported: a program that has a ringo.Loop could name an exported one.
	pools Buffers

	mark    gmark.Mark
	cur     *Task
	ready   runQueue
	yielded TaskList // tasks that become ready in the next turn
	charged charges
	shares  *shares // nil until a task was in a class
	stint   stint
	workers workerPool
	tasks   tasks

	done    driver.Queue
	out     Outbox
	timers  timer.Heap
	hearing hearing
	inbox   inbox

	clock     loopClock
	spin      spinner
	lastYield sched.YieldClock
	turn      turnClock
	counts    Counts
	ops       Ops
	locks     lockLine
	observer  Observer // nil if there is no observer
	seen      bool     // the observer hears of this turn's tasks
	idling    idling

	labels  map[ownLabels]labels.Set
	handles Handles
	kept    pools
	life    life
	above   Above
}

// thread is the thread of a loop, which the loop never leaves.
type thread struct {
	id   int32      // the kernel's id of it
	seat sched.Seat // compared with the seat of a caller
	goid uint64     // the id that stack traces give its goroutine
	g    gmark.G    // that goroutine
}

// Above is what packages above this one keep for a loop. All fields are nil at first.
type Above struct {
	Local, Events any // set by packages sock and event
	// EachTurn is called in each turn before tasks run. It runs on the loop's own goroutine, in no task: it must not
	// park, and must not run code of the program.
	EachTurn func()
}

// Buffers returns the loop's pools of buffers.
func (l *Loop) Buffers() *Buffers { return &l.pools }

// Above returns what the packages above keep for the loop.
func (l *Loop) Above() *Above { return &l.above }

// IsCurrent reports whether the caller runs on the loop's thread as one of its tasks, or in an iterator that a task
// runs. It reports false for a nil Loop, which handles of the zero value have, and for a loop that has ended. G.
func (l *Loop) IsCurrent() bool {
	if l == nil {
		return false
	}
	if thread := l.thread.seat.Thread; thread != 0 { // zero if the loop has no thread of its own
		return gmark.CurrentThread() == thread && !l.life.ended.Load()
	}
	return l.mark.IsCurrent() || l.World().HasTurn(l)
}

// Ended reports whether the loop has ended. One that no Run has made counts as ended. G.
func (l *Loop) Ended() bool { return l.unmade() || l.life.ended.Load() }

// unmade reports whether l is nil or the zero Loop. G.
func (l *Loop) unmade() bool { return l == nil || l.set == nil }

// Task returns the running task. T.
func (l *Loop) Task() *Task { return l.cur }

// Canceled reports whether the running task's waits fail: the task was cancelled, or is in a WithTimeout or
// WithContext that is over, and is not shielded from that. Cause says which. T.
func (l *Loop) Canceled() bool { return (l.cur.canceled || l.cur.expired) && l.cur.shield == 0 }

// Cause returns the error of a wait that a cancel has ended: context.Canceled, os.ErrDeadlineExceeded in a
// WithTimeout, or a ContextError in a WithContext. T.
func (l *Loop) Cause() error { return l.cur.cause() }

// Shield makes the running task's waits ignore cancels and timeouts until Unshield, so that the task can clean up. T.
func (l *Loop) Shield() { l.cur.shield++ }

// Unshield ends a Shield. T.
func (l *Loop) Unshield() { l.cur.shield-- }

// Park gives the thread away until some code makes the running task ready, which must happen exactly once. A cancel or
// a timeout calls w.CancelWait, if w is a Waiter. T.
func (l *Loop) Park(w Describer) {
	t := l.cur
	t.waits = w
	t.w.sp, t.w.since = gmark.SP(), l.clock.coarsely()
	l.counts.Parks++
	if l.seen {
		t.parkSeen()
	} else {
		t.w.yield(struct{}{})
	}
	if l.life.killed {
		runtime.Goexit()
	}
	t.waits = nil
}

// Ready resumes a parked task in this turn or the next.
func (l *Loop) Ready(t *Task) {
	t.waits = nil
	// Prefetch the part of the stack that the task will use first: with a thousand parked tasks their stacks do not
	// stay in the cache.
	t.w.g.Prefetch(t.w.sp)
	t.w.sp = 0
	if l.shares != nil && l.shares.takes(t) {
		return
	}
	if sampled(l.ready.tail) {
		l.ready.noteReady()
	}
	l.ready.push(item{task: t}) // enqueue by hand, as the compiler does not inline that
}

// ready is Ready for any goroutine. G.
func (t *Task) ready() {
	if t.l.IsCurrent() {
		t.l.Ready(t)
		return
	}
	t.l.send(message{kind: msgReady, task: t})
}

// Do runs an op, waits for it, and returns the result of its last completion. It returns -ECANCELED at once if the
// task was cancelled before; see Cause. The caller keeps the op. T, parks.
func (l *Loop) Do(o *op.Op) int32 {
	t := l.cur
	if l.Canceled() {
		l.ChargeAndYield()
		return -sys.ECANCELED
	}
	o.Sink = t
	t.op = o
	l.ops.Time(o)
	l.ops.Submit(o)
	l.Park(t)
	t.op = nil
	return t.res
}

// Start runs a job as a task, in this turn or the next, but never before Start returns. The job inherits nothing: see
// Inherited.To.
func (l *Loop) Start(j Job) {
	if h, ok := j.(*heir); ok && h.of.class != nil {
		l.tasks.admit(l, h.asTask(l))
		return
	}
	l.tasks.live++
	l.ready.enqueue(item{job: j})
}

// RunsFor sets the function by which the running task is known, if it runs on behalf of another than its own. T.
func (l *Loop) RunsFor(f code.Func) {
	l.cur.w.code = f
	if l.seen {
		l.observer.TaskRunsFor(l.cur)
	}
	if l.cfg.LabelTasks {
		l.ApplyLabels(labels.Current())
	}
}

// Go starts a task. G.
func (l *Loop) Go(fn func()) *Task { return (&Task{l: l, fn: fn}).start() }

// GoNamed is Go for a task with a name. G.
func (l *Loop) GoNamed(name string, fn func()) *Task {
	t := &Task{l: l, fn: fn}
	t.extension().name = name
	return t.start()
}

// GoBackground is Go for a task that keeps neither its loop nor a drain from ending: the loop cancels it when no other
// task is left. G.
func (l *Loop) GoBackground(fn func()) *Task {
	t := &Task{l: l, fn: fn}
	t.extension().rear = true
	return t.start()
}

func (t *Task) start() *Task {
	l := t.l
	t.inherit(l.Inherited())
	if l.IsCurrent() {
		l.tasks.admit(l, t)
		return t
	}
	if l.refusesCaller() || !l.send(message{kind: msgGo, task: t}) {
		t.wakeJoiners(ErrEnded)
	}
	return t
}

// Post runs fn as a task. The posts of one sender start in order. G.
func (l *Loop) Post(fn func()) error {
	m := message{kind: msgPost, fn: fn}
	if i := l.Inherited(); !i.None() {
		m = message{kind: msgJob, job: i.To(jobFunc(fn))}
	}
	if l.refusesCaller() || !l.send(m) {
		return ErrEnded
	}
	return nil
}

// Context returns the running task's context. T.
func (l *Loop) Context() context.Context { return l.cur.context() }

// Index returns the loop's place in its Run. G.
func (l *Loop) Index() int {
	if l.unmade() {
		return 0
	}
	return l.index
}

// Set returns the Run that the loop belongs to; nil if no Run has made the loop. G.
func (l *Loop) Set() *Set {
	if l.unmade() {
		return nil
	}
	return l.set
}

// Config returns the Run's configuration, which callers must not change. G.
func (l *Loop) Config() *Config { return l.cfg }

// Info describes the loop's driver. G.
func (l *Loop) Info() driver.Info {
	if l.unmade() {
		return driver.Info{}
	}
	return l.info
}

// Lends reports whether received bytes come in buffers of Buffers.Ring. G.
func (l *Loop) Lends() bool { return l.info.Lends }

// Edges reports whether the driver reports readiness once, when it begins; if not, it does for as long as readiness
// lasts. G.
func (l *Loop) Edges() bool { return l.info.Edges }

// Forget makes the driver drop what it knows of a descriptor. No op may use the descriptor.
func (l *Loop) Forget(f *fd.FD) { l.drv.Forget(f) }

// CloseFD closes a descriptor that the driver may know. It drops the error of close(2): for a socket that says nothing
// about bytes, and the number is free in any case.
func (l *Loop) CloseFD(f *fd.FD) {
	l.drv.Forget(f)
	l.kernel.Close(f.Take())
}

// Kernel returns the kernel for calls that never wait. G.
func (l *Loop) Kernel() kernel.Kernel { return l.kernel }

// Kernel returns the kernel of the loop that the caller runs on; for other callers the process's. G.
func Kernel() kernel.Kernel {
	if l, _ := Current(); l != nil {
		return l.kernel
	}
	return kernel.Process()
}

// Unwatchable returns why the loop can't wait for a descriptor; nil if it can. G.
func (l *Loop) Unwatchable(fd int32) error {
	b, ok := l.drv.(driver.Bounded)
	if !ok {
		return nil
	}
	bound, err := b.Bound()
	if fd < bound {
		return nil
	}
	return err
}

// Draining reports whether accepts have stopped. G.
func (l *Loop) Draining() bool { return l.life.draining.Load() }

// Outbox returns what the loop's tasks have written and the kernel has not got yet.
func (l *Loop) Outbox() *Outbox { return &l.out }

// Stopping reports whether Grace has ended or the Run has failed: the loop cancels its tasks and waits for no others.
func (l *Loop) Stopping() bool { return l.life.stopping }

// Ending reports whether the loop is closing what was left open.
func (l *Loop) Ending() bool { return l.life.ending }

// Ops returns the ops that the loop's driver runs.
func (l *Loop) Ops() *Ops { return &l.ops }

// Handles returns the handles that are open on the loop.
func (l *Loop) Handles() *Handles { return &l.handles }
