package loop

import (
	"context"
	rtrace "runtime/trace"
	"strings"
)

// While an execution trace of package runtime/trace is taken, what begins is a user task of the trace, and each turn
// and each wait is a region. A region begins and ends in one goroutine: a turn in the loop's, a wait in the task's
// coroutine. Whether a trace is taken is asked once a turn, so that a Park has nothing but a bool to look at. A trace
// may begin and end at any time: of what it has seen no beginning or no end of, it has what it saw.

// traced is a task in the execution trace.
type traced struct {
	context.Context // that says so
	task            *rtrace.Task
}

// lookForTrace begins the region of a turn, if a trace is taken.
func (l *Loop) lookForTrace() {
	if l.tracing = rtrace.IsEnabled(); l.tracing {
		l.turn = rtrace.StartRegion(l.set.values, "turn")
	}
}

// traceTurnEnd ends it.
func (l *Loop) traceTurnEnd() {
	l.turn.End()
	l.turn = nil
}

// traceTask makes the running task, which begins, one of the trace. One that begins in a function of ours is there for
// one of its caller's, and comes here again by RunsFor.
func (l *Loop) traceTask() {
	t := l.cur
	name := t.name()
	if name == "" {
		if name = t.w.code.Name(); strings.HasPrefix(name, "ringo.") {
			return
		}
	}
	if x := t.extension(); x.traced == nil {
		ctx, task := rtrace.NewTask(t.values(), name)
		x.traced = &traced{ctx, task}
	}
}

// giveTraced is the switch of a Park while a trace is taken. It is apart so that nothing of it is on the stacks of
// those that park otherwise (BenchmarkIdleMemory of sock, TestParkedStacks).
//
//go:noinline
func (t *Task) giveTraced() {
	region := rtrace.StartRegion(t.values(), t.waitName())
	t.w.yield(struct{}{})
	region.End()
}

// waitName is what it waits for, in a word: a trace is for a bounded number of them.
func (t *Task) waitName() string {
	switch w := t.waits.(type) {
	case *yielding:
		return "yield"
	case Describer:
		d := noWait
		if w.DescribeWait(t, &d); d.Op != "" {
			return d.Op
		}
	}
	return "wait"
}
