package census

import (
	"cmp"
	"runtime"
	"slices"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// TaskInfo is a task as it was when somebody looked.
type TaskInfo struct {
	loop.TaskView        // Named also from its stack, if there is no Code
	Held          string // of one that holds its loop: how its goroutine is
	Ran           int64  // for which part of the last second, in millionths, if its loop has a meter
}

// Name is what the task is called: by GoNamed, or as its function.
func (t *TaskInfo) Name() string {
	if t.Named != "" {
		return t.Named
	}
	return t.Code.Name()
}

// StacksMax bounds the tasks for whose stacks the program is stopped unasked: it takes some 6 µs for each.
const StacksMax = 1 << 14

// censusMax is how many tasks are looked at in one turn of their loop.
const censusMax = 256

// Tasks are the tasks of a loop that have not ended, in order of their beginning; after the loop's end none. It looks
// at censusMax of them a turn, see loop.Walk. If the loop is held the list is what the goroutines' stacks tell. It may
// sort and copy for long: a task asks in Offload. G, parks.
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

// census is a list of tasks in the making.
type census struct {
	r      *Record // nil: there is none
	walk   *loop.Walk
	pieces [][]TaskInfo
}

func newCensus(l *loop.Loop) *census { return &census{r: of(l), walk: l.Look().Walk()} }

// tasksAtOnce looks at all tasks in one turn; what it gives sorts them, on any thread.
func tasksAtOnce(l *loop.Loop) (sorted func() []TaskInfo) {
	c := newCensus(l)
	for !c.next() {
	}
	return c.sorted
}

// next is a piece of it.
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

// sorted is what was found, each once; what has not begun is last.
func (c *census) sorted() []TaskInfo {
	var order []*TaskInfo
	for _, piece := range c.pieces {
		for i := range piece {
			order = append(order, &piece[i])
		}
	}
	last := c.walk.Last() + 1 // 2^32 tasks before the first that may be in the list
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
