package loop

import (
	"context"

	"ringo/internal/rt/labels"
)

// Inherited is what a task gets from its starter: labels, as a goroutine does, the values of the starter's context,
// and its class.
type Inherited struct {
	labels labels.Set
	values context.Context // nil: only the values of Run's context
	class  *Class          // nil: none
}

// Inherited returns what the tasks of the loop inherit that the caller starts. G.
func (l *Loop) Inherited() Inherited {
	if l.IsCurrent() {
		return inheritedFrom(l.cur)
	}
	_, t := Current()
	return inheritedFrom(t)
}

// inheritedFrom returns what tasks inherit from t, the running task; nil for a goroutine, and between tasks.
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

// None reports whether there is nothing to inherit.
func (i Inherited) None() bool { return i.labels.None() && i.values == nil && i.class == nil }

// HasClass reports whether there is a class. A job gets a class from StartAs only: Inherit comes too late for that.
func (i *Inherited) HasClass() bool { return i.class != nil }

// Inherit gives the running task, which has just begun, the labels and values of its starter. T.
func (l *Loop) Inherit(i Inherited) {
	l.ApplyLabels(i.labels)
	if i.values != nil {
		l.cur.extension().values = i.values
	}
}

// inheriting wraps j in a job that inherits i, if there is anything to inherit.
func inheriting(j Job, i Inherited) Job {
	if i.None() {
		return j
	}
	return &heir{j, i}
}

// heir is a job with what it inherits from its starter.
type heir struct {
	Job
	of Inherited
}

// asTask makes a task of a job that has a class, because only tasks can wait in the queue of a class.
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

// values returns the context that the task's own is derived from: it has the inherited values before those of Run's
// context, or is the one that Observe has set.
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

// A joinedContext is one context with the values of another one behind its own.
type joinedContext struct {
	context.Context // of the one
	other           context.Context
}

// Value returns the value of the embedded context, or else that of other.
func (c *joinedContext) Value(key any) any {
	if key == (originKey{}) {
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.other.Value(key)
}

// joinValues adds other's values to one, unless one was derived from a context with them. Without that check a task
// that goes on deriving from its Loop.Context, or a chain of tasks that start tasks, would double the contexts to ask
// at each step.
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

// originKey is the key for which a context's Value returns the joinedContext or the runValues that it derives from.
type originKey struct{}

// runValues has the values of Run's context, which tasks inherit, without its end, which begins the drain.
type runValues struct{ context.Context }

func valuesOf(ctx context.Context) context.Context { return &runValues{context.WithoutCancel(ctx)} }

// Value returns the runValues itself for originKey, and the context's values for other keys.
func (r *runValues) Value(key any) any {
	if key == (originKey{}) {
		return r
	}
	return r.Context.Value(key)
}
