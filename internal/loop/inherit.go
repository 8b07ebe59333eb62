package loop

import (
	"context"

	"ringo/internal/rt/labels"
)

// Inherited is what a task has of who starts it: labels, as a goroutine has, and the values of a task's context.
type Inherited struct {
	labels labels.Set
	values context.Context // nil: those of Run's alone
	class  *Class          // nil: none
}

// Inherited is what tasks of the loop have that the caller starts. G.
func (l *Loop) Inherited() Inherited {
	if l.IsCurrent() {
		return inheritedFrom(l.cur)
	}
	_, t := Current()
	return inheritedFrom(t)
}

// inheritedFrom is what tasks have that t starts, which calls; nil for a goroutine, and between tasks.
func inheritedFrom(t *Task) Inherited {
	i := Inherited{labels: labels.Current()}
	if t != nil {
		x := t.ext.Load()
		if x != nil && (x.limit != nil || x.values != nil) {
			i.values = x.valuesNow(t)
		}
		if x != nil {
			i.class = x.share.class()
		}
	}
	return i
}

// None reports whether there is nothing.
func (i Inherited) None() bool { return i.labels.None() && i.values == nil && i.class == nil }

// HasClass reports whether there is a class, which a job has only from StartAs: Inherit comes too late for it.
func (i *Inherited) HasClass() bool { return i.class != nil }

// Inherit gives the running task, which has just begun, what it has of who started it. T.
func (l *Loop) Inherit(i Inherited) {
	l.ApplyLabels(i.labels)
	if i.values != nil {
		l.cur.extension().values = i.values
	}
}

// inheriting is a job that has it.
func inheriting(j Job, i Inherited) Job {
	if i.None() {
		return j
	}
	return &heir{j, i}
}

// heir is a job with what it has of who started it.
type heir struct {
	Job
	of Inherited
}

// asTask is the job as a task, for one that is of a class: that has its turn among its class's.
func (h *heir) asTask(l *Loop) *Task {
	t := &Task{l: l, fn: func() {
		l.RunsFor(h.Code())
		h.Job.Run()
	}}
	t.inherit(h.of)
	return t
}

func (h *heir) Run() {
	if l, _ := Current(); l != nil {
		l.Inherit(h.of)
	}
	h.Job.Run()
}

// values is the context that the task's own begins with: what it has inherited and Run's, or what Observe has put in
// their place.
func (t *Task) values() context.Context {
	x := t.ext.Load()
	switch {
	case x == nil:
		return t.l.set.values
	case x.observed != nil:
		return x.observed
	case x.values != nil:
		return joinValues(x.values, t.l.set.values)
	}
	return t.l.set.values
}

// A joinedContext is one context with another one's values behind its own.
type joinedContext struct {
	context.Context // of the one
	other           context.Context
}

// Value gives what the one has, or else the other.
func (c *joinedContext) Value(key any) any {
	if key == (originKey{}) {
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.other.Value(key)
}

// joinValues gives one context another one's values, if it has not been made of that anyway: a task that goes on
// deriving from its Loop.Context, or has tasks start tasks, would ask twice as many contexts at each step.
func joinValues(one, other context.Context) context.Context {
	want := other.Value(originKey{})
	for origin := one.Value(originKey{}); origin != nil; {
		if origin == want {
			return one
		}
		joined, ok := origin.(*joinedContext)
		if !ok {
			break
		}
		origin = joined.other.Value(originKey{})
	}
	return &joinedContext{one, other}
}

// originKey has a context's Value give the joinedContext or the runValues that it was made of.
type originKey struct{}

// runValues is Run's context, whose keys and values reach tasks; its end does not: that begins the drain.
type runValues struct{ context.Context }

func valuesOf(ctx context.Context) context.Context { return &runValues{context.WithoutCancel(ctx)} }

// Value has itself beside what the context has.
func (r *runValues) Value(key any) any {
	if key == (originKey{}) {
		return r
	}
	return r.Context.Value(key)
}
