package loop

import (
	"context"
	"runtime"

	"ringo/internal/bufs"
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

// Loop is one thread with one driver. Methods say who may call them: T is a task
// of this loop, G any goroutine; those without a word are the loop thread's, be it
// in a task or in a Sink.
type Loop struct {
	set    *Set
	index  int
	cfg    *Config
	drv    driver.Driver
	kernel kernel.Kernel
	info   driver.Info
	thread thread

	// No field is exported: whoever has a ringo.Loop could name it there.
	pools buffers

	mark    gmark.Mark
	cur     *Task
	ready   runQueue
	yielded TaskList // for the next turn
	charged charges
	shares  *shares // nil: no task was of a class
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
	observer  Observer // nil: nobody looks
	seen      bool     // the turn's tasks are told of to it
	idling    idling

	labels  map[ownLabels]labels.Set
	handles Handles
	kept    pools
	life    life
	above   Above
}

// thread is a loop's thread, which it never leaves.
type thread struct {
	id   int32      // as the kernel calls it
	seat sched.Seat // to be compared with a caller's
	goid uint64     // of its goroutine, as stack traces call it
	g    gmark.G    // that goroutine
}

// Above is what packages above keep for a loop; nil at first.
type Above struct {
	Local, Events any // of the one of sockets, of that of callbacks
	// EachTurn is called in each turn, before tasks run: on the loop's own g, where it must not park and no program
	// runs.
	EachTurn func()
}

// Ring is the pool that is lent to the kernel.
func (l *Loop) Ring() *bufs.Pool { return l.pools.ring }

// Plain is memory for reads at readiness.
func (l *Loop) Plain() *bufs.Pool { return l.pools.plain }

// Large is memory for reads at readiness of which much is expected.
func (l *Loop) Large() *bufs.Pool { return l.pools.large }

// Above is what packages above keep for it.
func (l *Loop) Above() *Above { return &l.above }

// IsCurrent reports whether the caller runs on the loop's thread as one of its tasks,
// or in an iterator that a task runs. Of no loop, which handles of the zero value have,
// nobody is a task, and it has ended. G.
func (l *Loop) IsCurrent() bool {
	if l == nil {
		return false
	}
	if thread := l.thread.seat.Thread; thread != 0 { // which tells both at once
		return gmark.CurrentThread() == thread && !l.life.ended.Load()
	}
	return l.mark.IsCurrent() || l.World().HasTurn(l)
}

// Ended reports whether the loop is gone, as one is that no Run has made. G.
func (l *Loop) Ended() bool { return l.unmade() || l.life.ended.Load() }

// unmade reports whether it is nil or the zero Loop. G.
func (l *Loop) unmade() bool { return l == nil || l.set == nil }

// Task is the running task. T.
func (l *Loop) Task() *Task { return l.cur }

// TaskNumber is the number of the running task, which no other task of the loop has for the next four billion. T.
func (l *Loop) TaskNumber() uint32 { return l.cur.w.id }

// Canceled reports whether the running task must not wait any more, and may be told
// so: it was cancelled, or is in a WithTimeout or WithContext that is over. Cause says which. T.
func (l *Loop) Canceled() bool { return (l.cur.canceled || l.cur.expired) && l.cur.shield == 0 }

// Cause is the error of a wait that a cancel has ended: context.Canceled,
// os.ErrDeadlineExceeded in a WithTimeout, or a ContextError in a WithContext. T.
func (l *Loop) Cause() error { return l.cur.cause() }

// Shield makes the running task's waits ignore cancels and timeouts until Unshield,
// so that clean-up can be done. T.
func (l *Loop) Shield() { l.cur.shield++ }

// Unshield ends a Shield. T.
func (l *Loop) Unshield() { l.cur.shield-- }

// Park gives the thread away until somebody makes the running task ready, exactly
// once. w, if not nil, is told of a cancel or a timeout. T.
func (l *Loop) Park(w Waiter) {
	t := l.cur
	t.waits = w
	t.w.sp, t.w.since = gmark.SP(), l.coarsely()
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
	// By the time it is resumed, what it left in memory is back in the cache: a
	// thousand parked stacks don't stay there by themselves.
	t.w.g.Prefetch(t.w.sp)
	t.w.sp = 0
	if l.shares != nil && l.shares.takes(t) {
		return
	}
	if sampled(l.ready.tail) {
		l.ready.noteReady()
	}
	l.ready.push(item{task: t}) // as enqueue, which is not inlined
}

// ReadyFrom is Ready from any goroutine. G.
func (l *Loop) ReadyFrom(t *Task) {
	if l.IsCurrent() {
		l.Ready(t)
		return
	}
	l.send(message{kind: msgReady, task: t})
}

// Do runs an op and waits for it: the result of its last completion, or
// -ECANCELED at once if the task was cancelled before; see Cause. The op stays the
// caller's.
// T, parks.
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

// Start runs a job as a task, in this turn or the next. It never runs it at once. It has no labels
// but those that it takes itself.
func (l *Loop) Start(j Job) {
	if h, ok := j.(*heir); ok && h.of.class != nil {
		l.tasks.admit(l, h.asTask(l))
		return
	}
	l.tasks.live++
	l.ready.enqueue(item{job: j})
}

// StartHeir is Start of a job that inherits of the caller, a task of l.
func (l *Loop) StartHeir(j Job) { l.Start(inheriting(j, inheritedFrom(l.cur))) }

// StartAs is Start of a job that inherits i.
func (l *Loop) StartAs(j Job, i Inherited) { l.Start(inheriting(j, i)) }

// RunsFor says that the running task is there for another function than its own, by which it is to be known. T.
func (l *Loop) RunsFor(f code.Func) {
	l.cur.w.code = f
	if l.seen {
		l.observer.TaskRunsFor(l.cur)
	}
	if l.cfg.LabelTasks {
		l.ApplyLabels(labels.Current())
	}
}

// Go makes a task. G.
func (l *Loop) Go(fn func()) *Task { return l.goTask(&Task{l: l, fn: fn}) }

// GoNamed is Go of a task that has a name. G.
func (l *Loop) GoNamed(name string, fn func()) *Task {
	t := &Task{l: l, fn: fn}
	t.extension().name = name
	return l.goTask(t)
}

// GoBackground is Go of a task that keeps neither its loop nor a drain: it is cancelled when no other task is left. G.
func (l *Loop) GoBackground(fn func()) *Task {
	t := &Task{l: l, fn: fn}
	t.extension().rear = true
	return l.goTask(t)
}

func (l *Loop) goTask(t *Task) *Task {
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

// GoThen is Go for a task of this loop, with a function that is told how the task
// ended before those who join it go on. It must not park. T.
func (l *Loop) GoThen(fn func(), onEnd func(error)) *Task {
	t := l.Go(fn)
	t.extension().onEnd = onEnd
	return t
}

// Post runs fn as a task. Posts of one sender start in order. G.
func (l *Loop) Post(fn func()) error {
	m := message{kind: msgPost, fn: fn}
	if i := l.Inherited(); !i.None() {
		m = message{kind: msgJob, job: inheriting(jobFunc(fn), i)}
	}
	if l.refusesCaller() || !l.send(m) {
		return ErrEnded
	}
	return nil
}

// Context is the running task's context. T.
func (l *Loop) Context() context.Context { return l.cur.context() }

// Index is the loop's place in its Run. G.
func (l *Loop) Index() int {
	if l.unmade() {
		return 0
	}
	return l.index
}

// Set is the Run that the loop belongs to; nil if no Run has made it. G.
func (l *Loop) Set() *Set {
	if l.unmade() {
		return nil
	}
	return l.set
}

// Config is the Run's configuration. G, not to be changed.
func (l *Loop) Config() *Config { return l.cfg }

// Info describes the loop's driver. G.
func (l *Loop) Info() driver.Info {
	if l.unmade() {
		return driver.Info{}
	}
	return l.info
}

// Lends reports whether received bytes come in buffers of Ring. G.
func (l *Loop) Lends() bool { return l.info.Lends }

// Edges reports whether readiness is told when it changes; otherwise for as long
// as it lasts. G.
func (l *Loop) Edges() bool { return l.info.Edges }

// Forget has the driver let go of a descriptor that no op holds.
func (l *Loop) Forget(f *fd.FD) { l.drv.Forget(f) }

// CloseFD closes a descriptor that the driver may know of. An error of close(2) on a
// socket says nothing about bytes, and the number is gone in any case.
func (l *Loop) CloseFD(f *fd.FD) {
	l.drv.Forget(f)
	l.kernel.Close(f.Take())
}

// Kernel is asked for what never waits. G.
func (l *Loop) Kernel() kernel.Kernel { return l.kernel }

// Kernel is the kernel of the loop on which the caller runs, or else the process's. G.
func Kernel() kernel.Kernel {
	if l, _ := Current(); l != nil {
		return l.kernel
	}
	return kernel.Process()
}

// Unwatchable is why the loop can't wait for a descriptor; nil if it can. G.
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

// Outbox is what its tasks have written and the kernel has not been given.
func (l *Loop) Outbox() *Outbox { return &l.out }

// Stopping reports whether Grace has ended, or the Run has failed: nobody is waited for any more.
func (l *Loop) Stopping() bool { return l.life.stopping }

// Ending reports whether the loop closes what was left open.
func (l *Loop) Ending() bool { return l.life.ending }

// Ops are the operations that the loop's driver does.
func (l *Loop) Ops() *Ops { return &l.ops }

// Handles are what is open on it.
func (l *Loop) Handles() *Handles { return &l.handles }
