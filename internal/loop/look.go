package loop

import (
	"context"
	"sync/atomic"
	"time"

	"ringo/internal/op"
	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/stats"
)

// Look is a loop as observers see it. Methods marked G may be called from any goroutine. The others need the loop's
// thread, which callers reach by Call.
type Look Loop

// Look returns the loop as observers see it. G.
func (l *Loop) Look() *Look { return (*Look)(l) }

// Counts count what a loop has done.
type Counts struct {
	Turns    uint64          // rounds of the loop
	Parks    uint64          // times a task gave the thread away
	Yields   uint64          // parks that wait for nothing: forced, after calls that never had to wait, or Yield
	Mails    uint64          // messages from outside: posts, wakes of tasks, cancels
	Backoffs uint64          // times Accept waited for a shortage to pass
	InTasks  time.Duration   // time in turns: tasks, and the loop's own work between them
	InKernel time.Duration   // time between turns: asleep, and in the driver's calls
	Spinning time.Duration   // time spent looking for work before a sleep, see Config.Spin
	Delays   stats.Histogram // from ready to running, of one item in 1 << delayBits
}

// Counts returns the loop's counts so far.
func (l *Look) Counts() *Counts { return &l.counts }

// Sizes tell how much the loop has of things that grow.
type Sizes struct {
	Tasks   int // that have not finished
	Workers int // coroutines, running, parked and idle
	Slots   int // ops in use
	Timers  int // entries of the heap
}

// Sizes returns the present sizes.
func (l *Look) Sizes() Sizes {
	return Sizes{l.tasks.live, len(l.workers.all), l.ops.slab.Used(), l.timers.Len()}
}

// OpCounts returns how many ops of a kind were tried as plain calls, how many were submitted, and how long the
// submitted ones took; times is nil if no timed op has ended.
func (l *Look) OpCounts(c op.Code) (tried, submitted uint64, times *stats.Histogram) {
	return l.ops.tried[c], l.ops.submitted[c], l.ops.times[c]
}

// EachOpIn calls fn for the ops of a chunk of slots, and reports whether there are more chunks.
func (l *Look) EachOpIn(chunk int, fn func(*op.Op)) (more bool) { return l.ops.slab.EachIn(chunk, fn) }

// DriverStats returns the driver's counts.
func (l *Look) DriverStats() stats.Driver { return l.drv.Info().Stats }

// CountedHandles returns how many handles of a kind the loop has had, and how many are open. G.
func (l *Look) CountedHandles(k Kind) (opened, open uint64) {
	closed := l.handles.kinds[k].closed.Load() // read first: a handle opened after this is not counted as closed
	opened = l.handles.kinds[k].opened.Load()
	return opened, opened - closed
}

// TurnBegan returns when the present turn began, by Elapsed; 0 while the loop may sleep. No two turns return the same.
// G.
func (l *Look) TurnBegan() int64 { return l.turn.since.Load() }

// Thread returns the kernel's id of the loop's thread; 0 where loops share one. G.
func (l *Look) Thread() int32 { return l.thread.id }

// Goroutine returns the loop's goroutine: its id in stack traces, and its g. G.
func (l *Look) Goroutine() (id uint64, g gmark.G) { return l.thread.goid, l.thread.g }

// turnClock says which turn a loop is in, to the loop and to other threads. It costs one atomic store a turn, and one
// more before a sleep.
type turnClock struct {
	began int64        // when the present turn began
	since atomic.Int64 // began, for other threads; 0 while the loop may sleep
}

func (c *turnClock) begin(now int64) {
	c.began = max(now, c.began+1)
	c.since.Store(c.began)
}

// rest marks that the loop may sleep, or has ended.
func (c *turnClock) rest() { c.since.Store(0) }

// TaskView is a snapshot of a task.
type TaskView struct {
	ID       uint32 // its number among the tasks that the loop has begun, modulo 2^32; 0 if it has not begun
	Loop     int
	Code     code.Func // the function it runs
	Named    string    // its name from GoNamed
	State    TaskState
	Canceled bool
	// Background reports a task of GoBackground.
	Background bool
	Began      time.Time
	Since      time.Duration // how long it has been in its state
	Wait       Wait          // what it waits for, if it is parked
	Until      time.Time     // when the wait ends by itself
	Stack      int           // its size in bytes; 0 if it has none, or its size is not known
}

// TaskState is what a task is doing.
type TaskState uint8

const (
	TaskNew     TaskState = iota // its function has not begun
	TaskReady                    // it was parked, and runs when its turn comes
	TaskRunning                  // it holds its loop
	TaskParked                   // it waits
	TaskYielded                  // it has let others run, and is ready again
	TaskUnknown                  // its loop is held, and can't answer
)

// String returns the state in one word.
func (s TaskState) String() string {
	return [...]string{"new", "ready", "running", "parked", "yielded", "unknown"}[s]
}

// Walk visits the tasks of a loop that have not ended. It does so in pieces, and the loop runs on between them. A task
// that begins or ends meanwhile may or may not be visited. Each other task is visited as it is at that moment, some of
// them twice. Walk goes through the workers from the last to the first: when a worker ends, the last one takes its
// place (see worker.drop), so no worker moves to a place that Walk has passed.
type Walk struct {
	l     *Loop
	begun bool
	now   int64
	wall  time.Time // the clock on the wall at now
	left  int       // workers still to visit: the first left of them
	at    uint32    // the place in the ready queue; end is where the queue ended
	end   uint32
	last  uint32
}

// Walk begins a walk. G.
func (l *Look) Walk() *Walk { return &Walk{l: (*Loop)(l)} }

// Last returns the number of the task that the loop had begun last at the latest call of Next.
func (w *Walk) Last() uint32 { return w.last }

// Left returns how many tasks are still to visit, at most.
func (w *Walk) Left() int {
	if !w.begun {
		return len(w.l.workers.all) + w.l.ready.len() + w.l.shares.ready()
	}
	return w.left + max(0, int(int32(w.end-w.at)))
}

// Next visits at most room tasks, but all unbegun tasks of classes at once. It reports whether the walk is done.
func (w *Walk) Next(room int, visit func(*TaskView)) (done bool) {
	l := w.l
	w.now, w.wall, w.last = l.set.elapsed(), l.cfg.Clock().Round(0), l.tasks.begun
	if !w.begun {
		w.begun, w.left = true, len(l.workers.all)
		w.at, w.end = l.ready.head, l.ready.tail
	}
	w.left = min(w.left, len(l.workers.all))
	w.at = l.ready.from(w.at)
	for ; room > 0; room-- {
		switch {
		case w.left > 0:
			w.left--
			if o := l.workers.all[w.left]; o.task != nil {
				v := w.look(o)
				visit(&v)
			}
		case int32(w.end-w.at) > 0:
			if it := l.ready.peek(int(w.at - l.ready.head)); !it.resumes() {
				v := w.unbegun(it)
				visit(&v)
			}
			w.at++
		default: // the tasks of classes all at once, however many there are
			for t := range l.shares.unbegun() {
				v := w.unbegun(&item{task: t})
				visit(&v)
			}
			return true
		}
	}
	return false
}

// look takes the view of a task that has begun.
func (w *Walk) look(o *worker) TaskView {
	l, t := w.l, o.task
	v := TaskView{
		ID: o.id, Loop: l.index, Code: o.code, Named: t.Name(), State: TaskParked, Canceled: t.canceled,
		Background: t.Background(), Began: w.timeOf(w.now - o.began.Age(w.now)),
		Since: time.Duration(o.since.Age(w.now)), Wait: NoWait, Stack: o.g.StackSize(),
	}
	switch {
	case t == l.cur:
		v.State = TaskRunning
		return v
	case o.sp == 0:
		v.State = TaskReady
		return v
	}
	if _, yields := t.waits.(*yielding); yields {
		v.State = TaskYielded
		return v
	}
	t.describe(&v.Wait)
	if at := t.until(v.Wait.Until); at != 0 {
		v.Until = w.timeOf(at)
	}
	return v
}

// timeOf turns a time of NowNS into one of the clock on the wall.
func (w *Walk) timeOf(at int64) time.Time { return w.wall.Add(time.Duration(at - w.now)) }

// unbegun takes the view of a task or job that has not begun.
func (w *Walk) unbegun(it *item) TaskView {
	v := TaskView{Loop: w.l.index, State: TaskNew, Wait: NoWait}
	if it.task == nil {
		v.Code = it.job.Code()
		return v
	}
	v.Code, v.Named, v.Canceled = code.Of(it.task.fn), it.task.Name(), it.task.canceled
	v.Background = it.task.Background()
	return v
}

// until returns when a wait ends by itself: at the time at, 0 for never, or at the end of a WithTimeout before that.
func (t *Task) until(at int64) int64 {
	x := t.ext.Load()
	if x == nil || t.shield > 0 {
		return at
	}
	for b := x.limit; b != nil; b = b.outer {
		if b.given == nil && b.passed == 0 && (at == 0 || b.at < at) {
			at = b.at
		}
	}
	return at
}

// describe fills in what a parked task waits for.
func (t *Task) describe(d *Wait) {
	if t.waits != nil {
		t.waits.DescribeWait(t, d)
	}
}

// Waits returns what a parked task waits for. Its Op is empty if the task was made ready.
func (t *Task) Waits() Wait {
	w := NoWait
	t.describe(&w)
	return w
}

// Name returns the task's name from GoNamed. G.
func (t *Task) Name() string {
	if x := t.ext.Load(); x != nil {
		return x.name
	}
	return ""
}

// Coroutine returns the worker of a task that has begun, as an identity, and its g.
func (t *Task) Coroutine() (worker any, g gmark.G) { return t.w, t.w.g }

// Number, Code and Age are for a task that has begun. The loop gives four billion other tasks a number before it uses
// one again. Age is by the clock of the loop's turns.
func (t *Task) Number() uint32     { return t.w.id }
func (t *Task) Code() code.Func    { return t.w.code }
func (t *Task) Age() time.Duration { return time.Duration(t.w.began.Age(t.l.clock.now)) }

// Values returns the context that the task's own is derived from.
func (t *Task) Values() context.Context { return t.values() }

// LockWait is a task that waits for a lock, and the task that holds it, maybe the same.
type LockWait struct {
	Who   TaskRef
	On    TaskRef
	Name  string
	Runs  string // its function
	G     gmark.G
	Since Coarse
}

// TaskRef identifies a task for good: one Task may stand for several jobs of a worker in turn, so it needs the ID.
type TaskRef struct {
	Task *Task
	ID   uint32
}

// LockWaits returns the tasks that have waited for a lock for at least least: at most most of them, those that have
// waited longest. none reports that no task waits for a lock.
func (l *Look) LockWaits(most int, least time.Duration) (all []LockWait, none bool) {
	now := l.set.elapsed()
	for p := l.locks.first; p != nil && len(all) < most; p = p.next {
		w := p.t.w
		if w == nil || time.Duration(w.since.Age(now)) < least {
			continue
		}
		by, held := p.About.(Lock).HeldBy()
		if !held || by.t == nil {
			continue
		}
		o := LockWait{Who: TaskRef{p.t, w.id}, On: TaskRef{by.t, by.id}, Name: p.t.Name(), Runs: w.code.Name(), G: w.g,
			Since: w.since}
		if o.Name == "" {
			o.Name = o.Runs
		}
		all = append(all, o)
	}
	return all, l.locks.first == nil
}

// FreshLockWait reports whether a task has begun to wait for a lock since the last TakeFreshLockWait. G.
func (l *Look) FreshLockWait() bool { return l.locks.fresh.Load() }

// TakeFreshLockWait reports the same, and resets it. G.
func (l *Look) TakeFreshLockWait() bool { return l.locks.fresh.Swap(false) }
