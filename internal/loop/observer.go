package loop

import (
	"context"
	"time"
)

// RunObserver observes a Run, to count, list and complain. It and its Observers are all that the engine knows of that.
// Config.Observe makes it; without one no observer looks.
type RunObserver interface {
	// On returns the Observer of a loop, before the loop begins; nil for none.
	On(l *Loop) Observer
	// Begins is called before the loops begin, and over when the loops and the lanes have ended. Runs is called when
	// all loops are open, and ends when they have ended. In a world of one thread neither is called.
	Begins() (over func())
	Runs() (ends func())
	// GraceOver is called before the tasks are cancelled for which a drain has waited too long, and tell after that.
	// Run does not return before tell has.
	GraceOver() (tell func())
	// Unended names the tasks that have not ended. It may wait for loops that are held.
	Unended() string
	// Crash is called when a panic on l is about to end the program. Its result is printed after the panic.
	Crash(l *Loop) string
}

// Observer observes one loop. The loop calls it on its thread. It must not park, and must not do more than take notes.
type Observer interface {
	// Begins and Ends bracket the time in which Running lists the loop.
	Begins()
	Ends()
	// TurnBegins reports whether to call the methods below for all tasks in this turn.
	TurnBegins() (tasks bool)
	TurnEnds(took time.Duration)
	// TaskBegins is called for those tasks, and for each task with a name. TaskRunsFor is called for those tasks when
	// they run on behalf of another function.
	TaskBegins(t *Task)
	TaskRunsFor(t *Task)
	// TaskParks is called for those tasks. TaskResumes gets its result.
	TaskParks(t *Task) (seen any)
	TaskResumes(t *Task, seen any)
	// TaskEnds is called for those tasks, and for tasks that have a name, or values from Observe.
	TaskEnds(t *Task, err error)
	// WorkerEnds is called when a coroutine that has run tasks ends.
	WorkerEnds(worker any)
	// Refuses is called, maybe several times, before the loop stops taking in mail: callers that ask the loop from
	// then on get no answer.
	Refuses()
}

// Observer returns the observer of the loop; nil for none. G.
func (l *Loop) Observer() Observer {
	if l.unmade() {
		return nil
	}
	return l.observer
}

// Observer returns the observer of the Run; nil for none. G.
func (s *Set) Observer() RunObserver { return s.observer }

// observe makes the observers, if Config.Observe is set.
func (s *Set) observe() {
	if s.cfg.Observe == nil {
		return
	}
	s.observer = s.cfg.Observe(s)
	for _, l := range s.loops {
		l.observer = s.observer.On(l)
	}
}

// Report runs fn, which may write, on a goroutine. Run does not return before fn has. G.
func (s *Set) Report(fn func()) { s.telling.Go(fn) }

// parkSeen is the part of Park that tells the observer. It is a function of its own, not inlined, so that its
// variables are not on the stacks of tasks that park without an observer (BenchmarkIdleMemory of sock,
// TestParkedStacks).
//
//go:noinline
func (t *Task) parkSeen() {
	o := t.l.observer
	seen := o.TaskParks(t)
	t.w.yield(struct{}{})
	o.TaskResumes(t, seen)
}

// Observe gives the task values that its context has from now on, and that tasks it starts do not inherit; nil removes
// them. It is for Observers.
func (t *Task) Observe(values context.Context) {
	if values != nil || t.ext.Load() != nil {
		t.extension().observed = values
	}
}

// Observed returns the values that Observe has set.
func (t *Task) Observed() context.Context {
	if x := t.ext.Load(); x != nil {
		return x.observed
	}
	return nil
}
