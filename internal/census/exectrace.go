package census

import (
	"context"
	rtrace "runtime/trace"
	"strings"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// While an execution trace of package runtime/trace is taken, each task that begins becomes a user task of the trace,
// and each turn and each wait a region. A region begins and ends in one goroutine: a turn in the loop's, a wait in the
// task's coroutine. Each turn asks once whether a trace is taken. A trace may begin and end at any time, so it may
// miss the begin or the end of a task or region.

// tracing is the state of a loop for the trace.
type tracing struct {
	on   bool           // a trace is taken, or was when the turn began
	turn *rtrace.Region // the present turn's region; nil: it is not traced
}

// traced is a task of the execution trace.
type traced struct {
	context.Context // the context that carries the trace's task
	task            *rtrace.Task
}

// look asks whether a trace is taken, and begins the region of the turn if so.
func (c *tracing) look(l *loop.Loop) {
	if c.on = rtrace.IsEnabled(); c.on {
		c.turn = rtrace.StartRegion(l.Set().Values(), "turn")
	}
}

// turnEnds ends the region of the turn.
func (c *tracing) turnEnds() {
	c.turn.End()
	c.turn = nil
}

// begins makes a task one of the trace. A task that starts in a function of Ringo runs a function of the program
// later: it is not added now, but when RunsFor announces that.
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

// endTraced ends the task in the trace.
func endTraced(t *loop.Task) {
	if o, ok := t.Observed().(*traced); ok {
		o.task.End()
	}
}

// parks begins the region of a wait. Its name is one word, since a trace supports a bounded number of names.
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

// endWait ends the region of a wait.
func endWait(seen any) {
	if region, ok := seen.(*rtrace.Region); ok {
		region.End()
	}
}
