package census

import (
	"context"
	rtrace "runtime/trace"
	"strings"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// While an execution trace of package runtime/trace is taken, what begins is a user task of the trace, and each turn
// and each wait is a region. A region begins and ends in one goroutine: a turn in the loop's, a wait in the task's
// coroutine. Whether a trace is taken is asked once a turn. A trace may begin and end at any time: of what it has seen
// no beginning or no end of, it has what it saw.

// tracing is what a loop has to do with a trace.
type tracing struct {
	on   bool           // one is taken, or was when the turn began
	turn *rtrace.Region // the present turn's; nil: it is not in a trace
}

// traced is a task in the execution trace.
type traced struct {
	context.Context // that says so
	task            *rtrace.Task
}

// look begins the region of a turn, if a trace is taken.
func (c *tracing) look(l *loop.Loop) {
	if c.on = rtrace.IsEnabled(); c.on {
		c.turn = rtrace.StartRegion(l.Set().Values(), "turn")
	}
}

// turnEnds ends it.
func (c *tracing) turnEnds() {
	c.turn.End()
	c.turn = nil
}

// begins makes a task one of the trace. One that begins in a function of ours is there for one of its caller's, and
// comes here again by RunsFor.
func (c *tracing) begins(t *loop.Task) {
	name := t.Name()
	if name == "" {
		if name = t.Code().Name(); strings.HasPrefix(name, stacks.Module+".") {
			return
		}
	}
	if t.Observed() == nil {
		ctx, task := rtrace.NewTask(t.Values(), name)
		t.Observe(&traced{ctx, task})
	}
}

// endTraced is for the end of a task.
func endTraced(t *loop.Task) {
	if o, ok := t.Observed().(*traced); ok {
		o.task.End()
	}
}

// parks begins the region of a wait, whose name is in a word: a trace is for a bounded number of them.
func (c *tracing) parks(t *loop.Task) *rtrace.Region {
	w := t.Waits()
	switch w.Op {
	case "":
		w.Op = "wait"
	case "Yield":
		w.Op = "yield"
	}
	return rtrace.StartRegion(t.Values(), w.Op)
}

// endWait ends it.
func endWait(seen any) {
	if region, ok := seen.(*rtrace.Region); ok {
		region.End()
	}
}
