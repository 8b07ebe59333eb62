package census

import (
	"cmp"
	"runtime"
	"slices"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// TaskInfo describes a task at the time of the look.
type TaskInfo struct {
	loop.TaskView        // Named may come from its stack, if there is no Code
	Held          string // of a task whose loop is held: the state of its goroutine
	Ran           int64  // the part of the last second for which it ran, in millionths, if its loop has a meter
}

// Name returns the name of the task: that of GoNamed, or its function's.
func (t *TaskInfo) Name() string {
	if t.Named != "" {
		return t.Named
	}
	return t.Code.Name()
}

// StacksMax bounds the goroutines of a program that is stopped for stacks that no one has asked for: it takes some 6
// µs for each.
const StacksMax = 1 << 14

// censusMax is how many tasks are looked at in one turn of their loop.
const censusMax = 256

// Tasks returns the tasks of a loop that have not ended, in the order in which they began; after the loop's end none.
// It looks at censusMax of them each turn, see loop.Walk. If the loop is held, the list is what the goroutines' stacks
// show. Sorting and copying may take long, so tasks should call it in Offload. G, parks.
func Tasks(l *loop.Loop) []TaskInfo {
	if l.Ended() {
		return nil
	}
	c := newCensus(l)
	if ask(l, c.next) {
		return c.sorted()
	}
	if l.Ended() {
		return nil
	}
	return tasksWhileHeld(l)
}

// census is a list of tasks while it is made.
type census struct {
	r      *Record // nil: there is none
	walk   *loop.Walk
	pieces [][]TaskInfo
}

func newCensus(l *loop.Loop) *census { return &census{r: of(l), walk: l.Look().Walk()} }

// tasksAtOnce looks at all tasks in one turn; sorted, which may run on any thread, sorts them.
func tasksAtOnce(l *loop.Loop) (sorted func() []TaskInfo) {
	c := newCensus(l)
	for !c.next() {
	}
	return c.sorted
}

// next looks at some more tasks, and returns true after the last.
func (c *census) next() (done bool) {
	piece := make([]TaskInfo, 0, min(censusMax, c.walk.Left()))
	done = c.walk.Next(censusMax, func(v *loop.TaskView) {
		i := TaskInfo{TaskView: *v}
		if c.r != nil && v.ID != 0 {
			i.Ran = c.r.meter.share(v.ID, c.r.l.Elapsed())
		}
		piece = append(piece, i)
	})
	c.pieces = append(c.pieces, piece)
	return done
}

// sorted returns the tasks found, each once; tasks that have not begun come last.
func (c *census) sorted() []TaskInfo {
	var order []*TaskInfo
	for _, piece := range c.pieces {
		for i := range piece {
			order = append(order, &piece[i])
		}
	}
	last := c.walk.Last() + 1 // IDs wrap around: compare them from 2^32 tasks before the first that may be in the list
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

// tasksWhileHeld returns what stacks show of the tasks of a loop that does not answer: their names, and the state of
// the one that holds the loop. If that would stop the program for too long, it returns one unknown task.
func tasksWhileHeld(l *loop.Loop) []TaskInfo {
	unknown := TaskInfo{TaskView: loop.TaskView{Loop: l.Index(), State: loop.TaskUnknown, Wait: loop.NoWait}}
	if runtime.NumGoroutine() > StacksMax {
		unknown.Held = "its loop is held, and there are too many goroutines to look at their stacks"
		return []TaskInfo{unknown}
	}
	var tasks []TaskInfo
	t := stacks.Take()
	goid, _ := l.Look().Goroutine()
	holder := t.WorkerOf(goid, t.Holder(goid))
	for _, g := range t.Workers(goid) {
		i := unknown
		if i.Named = g.Task(); i.Named == "" {
			continue // idle
		}
		if tag, ok := tagOf(l, g); ok {
			i.ID, i.Named, i.Code = tag.id, tag.name, tag.code
		}
		if i.Held = "its loop is held"; g == holder {
			i.State, i.Held = loop.TaskRunning, "holds its loop ["+t.Holder(goid).State()+"]"
		}
		tasks = append(tasks, i)
	}
	if len(tasks) == 0 {
		unknown.Held = "its loop is held by what is no task, or was so a moment ago"
		tasks = []TaskInfo{unknown}
	}
	return tasks
}
