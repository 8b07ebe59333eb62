package loop

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"ringo/internal/rt/code"
	"ringo/internal/rt/stacks"
)

// TaskInfo is a task as it was when somebody looked.
type TaskInfo struct {
	ID       uint32 // its place among those that its loop has begun, as far as 32 bits go; 0: it has not begun
	Loop     int
	Code     code.Func // what it runs
	Named    string    // by GoNamed, or from its stack if there is no Code
	State    TaskState
	Canceled bool
	Began    time.Time
	Since    time.Duration // for how long it has been in its state
	Wait     Wait          // of one that is parked
	Until    time.Time     // when that ends by itself
	Held     string        // of one that holds its loop: how its goroutine is
	Ran      int64         // for which part of the last second, in millionths, if its loop has a meter
	Stack    int           // bytes; 0: it has none, or that can't be told
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

// Name is what the task is called: by GoNamed, or as its function.
func (t *TaskInfo) Name() string {
	if t.Named != "" {
		return t.Named
	}
	return t.Code.Name()
}

// censusMax is how many tasks are looked at in one turn of their loop.
const censusMax = 256

// Tasks are the tasks of the loop that have not ended, in order of their beginning; after the loop's end none. It
// looks at censusMax of them a turn, so the others run on meanwhile: a task that begins or ends while it looks may be
// in the list or not, and each of those that stay is in it once, as it was when it was looked at. If the loop is held
// the list is what the goroutines' stacks tell. It may sort and copy for long: a task asks in Offload. G, parks.
func (l *Loop) Tasks() []TaskInfo {
	if l.unmade() {
		return nil
	}
	c := &census{l: l}
	if l.ask(c.next) {
		return c.sorted()
	}
	if l.ended.Load() {
		return nil
	}
	return l.tasksWhileHeld()
}

// census is a list of tasks in the making. It goes through the workers from the last to the first: one that ends
// meanwhile is replaced by the last (see Loop.drop), so that none moves to where it was already looked. One that was
// looked at may be looked at again.
type census struct {
	l      *Loop
	begun  bool
	now    int64
	wall   time.Time // at now
	left   int       // workers, from the first
	at     uint32    // in the ready queue, and where that ended
	end    uint32
	last   uint32 // Loop.begun
	pieces [][]TaskInfo
}

// tasksAtOnce looks at all tasks in one turn; what it gives sorts them, on any thread.
func (l *Loop) tasksAtOnce() (sorted func() []TaskInfo) {
	c := &census{l: l}
	for !c.next() {
	}
	return c.sorted
}

// next is a piece of it.
func (c *census) next() (done bool) {
	l := c.l
	c.now, c.wall = l.set.elapsed(), l.cfg.Clock().Round(0)
	if !c.begun {
		c.begun, c.left = true, len(l.workers)
		c.at, c.end = l.ready.head, l.ready.tail
	}
	c.left, c.last = min(c.left, len(l.workers)), l.begun
	c.at = l.ready.from(c.at)
	piece := make([]TaskInfo, 0, min(censusMax, c.left+max(0, int(int32(c.end-c.at)))))
	defer func() { c.pieces = append(c.pieces, piece) }()
	for room := censusMax; room > 0; room-- {
		switch {
		case c.left > 0:
			c.left--
			if w := l.workers[c.left]; w.task != nil {
				piece = append(piece, c.look(w))
			}
		case int32(c.end-c.at) > 0:
			if it := l.ready.peek(int(c.at - l.ready.head)); !it.resumes() {
				piece = append(piece, c.unbegun(it))
			}
			c.at++
		default:
			return true
		}
	}
	return false
}

// look looks at a task that has begun.
func (c *census) look(w *worker) TaskInfo {
	l, t := c.l, w.task
	i := TaskInfo{
		ID: w.id, Loop: l.index, Code: w.code, Named: t.name(), State: TaskParked, Canceled: t.canceled,
		Began: c.timeOf(c.now - w.began.age(c.now)), Since: time.Duration(w.since.age(c.now)), Wait: noWait,
		Stack: w.g.StackSize(), Ran: l.meter.share(w.id, c.now),
	}
	switch {
	case t == l.cur:
		i.State = TaskRunning
		return i
	case w.sp == 0:
		i.State = TaskReady
		return i
	}
	switch d := t.waits.(type) {
	case *yielding:
		i.State = TaskYielded
		return i
	case Describer:
		d.DescribeWait(t, &i.Wait)
	}
	if at := t.until(i.Wait.Until); at != 0 {
		i.Until = c.timeOf(at)
	}
	return i
}

// timeOf is a time of NowNS by the clock on the wall.
func (c *census) timeOf(at int64) time.Time { return c.wall.Add(time.Duration(at - c.now)) }

// unbegun is a task that has not begun.
func (c *census) unbegun(it *item) TaskInfo {
	i := TaskInfo{Loop: c.l.index, State: TaskNew, Wait: noWait}
	if it.task == nil {
		i.Code = it.job.Code()
		return i
	}
	i.Code, i.Named, i.Canceled = code.Of(it.task.fn), it.task.name(), it.task.canceled
	return i
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

// sorted is what was found, each once; what has not begun is last.
func (c *census) sorted() []TaskInfo {
	var order []*TaskInfo
	for _, piece := range c.pieces {
		for i := range piece {
			order = append(order, &piece[i])
		}
	}
	last := c.last + 1 // 2^32 tasks before the first that may be in the list
	slices.SortStableFunc(order, func(a, b *TaskInfo) int {
		if a.ID == 0 || b.ID == 0 {
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Compare(a.ID-last, b.ID-last)
	})
	tasks := make([]TaskInfo, 0, len(order))
	for i, t := range order {
		if t.ID == 0 || i == 0 || t.ID != order[i-1].ID {
			tasks = append(tasks, *t)
		}
	}
	return tasks
}

// tasksWhileHeld is what stacks tell of the tasks of a loop that does not answer: their names, and how what holds it
// is. Where that would stop the program for too long it is one task that is not known.
func (l *Loop) tasksWhileHeld() []TaskInfo {
	unknown := TaskInfo{Loop: l.index, State: TaskUnknown, Wait: noWait}
	if runtime.NumGoroutine() > stacksMax {
		unknown.Held = "its loop is held, and there are too many goroutines to look at their stacks"
		return []TaskInfo{unknown}
	}
	var tasks []TaskInfo
	t := stacks.Take()
	holder := t.WorkerOf(l.goid, t.Holder(l.goid))
	for _, g := range t.Workers(l.goid) {
		i := unknown
		if i.Named = g.Task(); i.Named == "" {
			continue // idle
		}
		if tag, ok := l.names.of(g); ok {
			i.ID, i.Named, i.Code = tag.id, tag.name, tag.code
		}
		if i.Held = "its loop is held"; g == holder {
			i.State, i.Held = TaskRunning, "holds its loop ["+t.Holder(l.goid).State()+"]"
		}
		tasks = append(tasks, i)
	}
	if len(tasks) == 0 {
		unknown.Held = "its loop is held by what is no task, or was so a moment ago"
		tasks = []TaskInfo{unknown}
	}
	return tasks
}
