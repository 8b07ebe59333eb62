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

// Look is a loop as those see it who look at it. What says G can be asked from anywhere; for the rest they come to the
// loop's thread, by Call.
type Look Loop

// Look is the loop as others see it. G.
func (l *Loop) Look() *Look { return (*Look)(l) }

// Counts count what a loop did.
type Counts struct {
	Turns    uint64          // rounds of the loop
	Parks    uint64          // times a task gave the thread away
	Yields   uint64          // those of tasks whose calls never had to wait
	Mails    uint64          // messages from outside: posts, wakes of tasks, cancels
	Backoffs uint64          // times Accept waited for a shortage to pass
	InTasks  time.Duration   // time in turns: tasks, and the loop's own work between them
	InKernel time.Duration   // time between them: asleep, and in the driver's calls
	Spinning time.Duration   // time of looking for work before a sleep, see Config.Spin
	Delays   stats.Histogram // from ready to running, of one in 1 << delayBits
}

// Counts are those so far.
func (l *Look) Counts() *Counts { return &l.counts }

// Sizes are how much a loop has of what grows.
type Sizes struct {
	Tasks   int // that have not finished
	Workers int // coroutines, running, parked and idle
	Slots   int // ops in use
	Timers  int // entries of the heap
}

// Sizes are those of the moment.
func (l *Look) Sizes() Sizes {
	return Sizes{l.tasks.live, len(l.workers.all), l.ops.slab.Used(), l.timers.Len()}
}

// OpCounts is how many ops of a kind were tried as plain calls and were submitted, and how long those took; nil if none
// has ended.
func (l *Look) OpCounts(c op.Code) (tried, submitted uint64, times *stats.Histogram) {
	return l.ops.tried[c], l.ops.submitted[c], l.ops.times[c]
}

// EachOpIn calls fn for the ops of a chunk of slots, and reports whether there are more chunks.
func (l *Look) EachOpIn(chunk int, fn func(*op.Op)) (more bool) { return l.ops.slab.EachIn(chunk, fn) }

// DriverStats are what the driver has counted.
func (l *Look) DriverStats() stats.Driver { return l.drv.Info().Stats }

// CountedHandles is how many of a kind the loop had, and has. G.
func (l *Look) CountedHandles(k Kind) (opened, open uint64) {
	closed := l.handles.kinds[k].closed.Load() // first: what is opened meanwhile is not closed yet
	opened = l.handles.kinds[k].opened.Load()
	return opened, opened - closed
}

// TurnBegan is when the turn did in which the loop is, by Elapsed; 0 while it may sleep. No two turns say the same. G.
func (l *Look) TurnBegan() int64 { return l.turn.since.Load() }

// Thread is the id of its thread, as the kernel calls it; 0 where loops have none of their own. G.
func (l *Look) Thread() int32 { return l.thread.id }

// Goroutine is its goroutine: by the id that stack traces have, and itself. G.
func (l *Look) Goroutine() (id uint64, g gmark.G) { return l.thread.goid, l.thread.g }

// turnClock is which turn a loop is in, for itself and for others. That is one store a turn, and one more before it
// sleeps.
type turnClock struct {
	began int64        // when the present turn did
	since atomic.Int64 // began, for others; 0 while the loop may sleep
}

func (c *turnClock) begin(now int64) {
	c.began = max(now, c.began+1)
	c.since.Store(c.began)
}

// rest is said before a sleep, and after the last turn.
func (c *turnClock) rest() { c.since.Store(0) }

// TaskView is a task as it was when somebody looked.
type TaskView struct {
	ID       uint32 // its place among those that its loop has begun, as far as 32 bits go; 0: it has not begun
	Loop     int
	Code     code.Func // what it runs
	Named    string    // by GoNamed
	State    TaskState
	Canceled bool
	// Background is that of a task of GoBackground.
	Background bool
	Began      time.Time
	Since      time.Duration // for how long it has been in its state
	Wait       Wait          // of one that is parked
	Until      time.Time     // when that ends by itself
	Stack      int           // bytes; 0: it has none, or that can't be told
}

// TaskState is what a task does.
type TaskState uint8

const (
	TaskNew     TaskState = iota // its function has not begun
	TaskReady                    // it was parked, and runs when its turn comes
	TaskRunning                  // it holds its loop
	TaskParked                   // it waits
	TaskYielded                  // it has let others run, and is ready again
	TaskUnknown                  // its loop is held, and can't be asked
)

// String says it in a word.
func (s TaskState) String() string {
	return [...]string{"new", "ready", "running", "parked", "yielded", "unknown"}[s]
}

// Walk goes along the tasks of a loop that have not ended, in pieces, between which the loop runs on: a task that
// begins or ends meanwhile may be seen or not, and each of those that stay is, as it was when it was looked at, maybe
// twice. It goes through the workers from the last to the first: one that ends meanwhile is replaced by the last (see
// Loop.drop), so that none moves to where it was already looked.
type Walk struct {
	l     *Loop
	begun bool
	now   int64
	wall  time.Time // at now
	left  int       // workers, from the first
	at    uint32    // in the ready queue, and where that ended
	end   uint32
	last  uint32
}

// Walk begins one. G.
func (l *Look) Walk() *Walk { return &Walk{l: (*Loop)(l)} }

// Last is the ID of the task that the loop had begun last when it was last looked at.
func (w *Walk) Last() uint32 { return w.last }

// Left is how many tasks there are still to see, at most.
func (w *Walk) Left() int {
	if !w.begun {
		return len(w.l.workers.all) + w.l.ready.len() + w.l.shares.ready()
	}
	return w.left + max(0, int(int32(w.end-w.at)))
}

// Next looks at some tasks, as many as there is room for at most.
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
		default: // those of classes at once, however many
			for t := range l.shares.unbegun() {
				v := w.unbegun(&item{task: t})
				visit(&v)
			}
			return true
		}
	}
	return false
}

// look looks at a task that has begun.
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

// timeOf is a time of NowNS by the clock on the wall.
func (w *Walk) timeOf(at int64) time.Time { return w.wall.Add(time.Duration(at - w.now)) }

// unbegun is a task that has not begun.
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

// until is when a wait ends at the latest that ends by itself at some time: by that, or by a WithTimeout.
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

// describe says what a task waits for that is parked.
func (t *Task) describe(d *Wait) {
	if w, ok := t.waits.(Describer); ok {
		w.DescribeWait(t, d)
	}
}

// Waits says what a task waits for that is parked. No Op: it was made ready meanwhile, or does not say.
func (t *Task) Waits() Wait {
	w := NoWait
	if _, yields := t.waits.(*yielding); yields {
		w.Op = "Yield"
	}
	t.describe(&w)
	return w
}

// Name is what GoNamed has called it. G.
func (t *Task) Name() string {
	if x := t.ext.Load(); x != nil {
		return x.name
	}
	return ""
}

// Coroutine is what a task that has begun runs in: the worker, which tells it from others, and its goroutine.
func (t *Task) Coroutine() (worker any, g gmark.G) { return t.w, t.w.g }

// Number and Code are those of a task that has begun, and Age is how long ago that was, on its loop.
func (t *Task) Number() uint32     { return t.w.id }
func (t *Task) Code() code.Func    { return t.w.code }
func (t *Task) Age() time.Duration { return time.Duration(t.w.began.Age(t.l.clock.now)) }

// Values is the context that the task's own begins with.
func (t *Task) Values() context.Context { return t.values() }

// LockWait is a task that waits for a lock which another has, or that has it itself.
type LockWait struct {
	Who   TaskRef
	On    TaskRef
	Name  string
	Runs  string // its function
	G     gmark.G
	Since Coarse
}

// TaskRef names a task for good: a Task can be that of a worker's jobs, one after the other.
type TaskRef struct {
	Task *Task
	ID   uint32
}

// LockWaits gives those that have waited for some time at least, most of them at most; those that began to wait last
// are left out. none: nobody waits.
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

// FreshLockWait reports whether a task has begun to wait for a lock since somebody took that back. G.
func (l *Look) FreshLockWait() bool { return l.locks.fresh.Load() }

// TakeFreshLockWait takes it back. G.
func (l *Look) TakeFreshLockWait() bool { return l.locks.fresh.Swap(false) }
