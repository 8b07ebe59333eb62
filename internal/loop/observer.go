package loop

import (
	"context"
	"time"
)

// RunObserver looks at a Run, to count, list and complain: it, and the Observers that it has, are all that the engine
// knows of that. Config.Observe makes it; nil: nobody looks.
type RunObserver interface {
	// On is for each loop, before it begins: who is told of what happens there; nil: nobody.
	On(l *Loop) Observer
	// Begins is called before the loops begin, and over when they and the lanes have ended; Runs when all of them are
	// open, and ends when they have ended. In a world of one thread neither is.
	Begins() (over func())
	Runs() (ends func())
	// GraceOver is called before the tasks are cancelled for which a drain has waited too long, and tell then. Run does
	// not return before.
	GraceOver() (tell func())
	// Unended names the tasks that have not ended. It may wait for loops that are held.
	Unended() string
	// Crash is called when a panic on l is about to end the program. What it returns is printed behind the panic.
	Crash(l *Loop) string
}

// Observer is told of what happens on one loop, on its thread. It must not park, and takes no longer than a note.
type Observer interface {
	// Begins and Ends are of a loop that others can find by Running.
	Begins()
	Ends()
	// TurnBegins reports whether the turn's tasks are to be told of.
	TurnBegins() (tasks bool)
	TurnEnds(took time.Duration)
	// TaskBegins is told of those tasks, and of each that has a name; TaskRunsFor, that one is there for another
	// function than its own.
	TaskBegins(t *Task)
	TaskRunsFor(t *Task)
	// TaskParks is told of the same tasks. What it returns is given to TaskResumes.
	TaskParks(t *Task) (seen any)
	TaskResumes(t *Task, seen any)
	// TaskEnds is told of the same tasks, and of those that have a name, or values that Observe has given to them.
	TaskEnds(t *Task, err error)
	// WorkerEnds is told of a coroutine that has run tasks.
	WorkerEnds(worker any)
	// Refuses is called before the loop takes in no more mail, which may be several times: whoever asks it from then on
	// gets no answer of its own.
	Refuses()
}

// Observer is who is told of what happens on the loop; nil: nobody. G.
func (l *Loop) Observer() Observer {
	if l.unmade() {
		return nil
	}
	return l.observer
}

// Observer is who looks at the Run; nil: nobody does. G.
func (s *Set) Observer() RunObserver { return s.observer }

// observe has those look at the Run who want to.
func (s *Set) observe() {
	if s.cfg.Observe == nil {
		return
	}
	s.observer = s.cfg.Observe(s)
	for _, l := range s.loops {
		l.observer = s.observer.On(l)
	}
}

// Report runs fn, which may write, on a goroutine. Run does not return before it has. G.
func (s *Set) Report(fn func()) { s.telling.Go(fn) }

// parkSeen is the switch of a Park that is told of. It is apart so that nothing of it is on the stacks of those that
// park otherwise (BenchmarkIdleMemory of sock, TestParkedStacks).
//
//go:noinline
func (t *Task) parkSeen() {
	o := t.l.observer
	seen := o.TaskParks(t)
	t.w.yield(struct{}{})
	o.TaskResumes(t, seen)
}

// Observe gives the task values that what it calls finds in its context, and nobody inherits; nil takes them back. For
// an Observer.
func (t *Task) Observe(values context.Context) {
	if values != nil || t.ext.Load() != nil {
		t.extension().observed = values
	}
}

// Observed is what Observe has given to it.
func (t *Task) Observed() context.Context {
	if x := t.ext.Load(); x != nil {
		return x.observed
	}
	return nil
}
