package loop

import (
	"context"

	"ringo/internal/rt/labels"
)

// Inherited is what a task gets from its starter: labels, as a goroutine does, the values of the starter's context,
// and its class.
type Inherited struct {
	labels labels.Set
	values *values // nil: only those of Run's context
	class  *Class  // nil: none
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
			if v := t.inBlock(x.limit); v != v.run {
				i.values = v
			}
		}
		if x != nil {
			i.class = x.share.class()
		}
	}
	return i
}

// None reports whether there is nothing to inherit.
func (i Inherited) None() bool { return i.labels.None() && i.values == nil && i.class == nil }

// ClassTo is To for a job that calls Inherit itself: only a class has to be known before the job begins.
func (i *Inherited) ClassTo(j Job) Job {
	if i.class == nil {
		return j
	}
	return &heir{j, *i}
}

// Inherit gives the running task, which has just begun, the labels and values of its starter. T.
func (l *Loop) Inherit(i Inherited) {
	l.ApplyLabels(i.labels)
	l.cur.keep(i.values)
}

// To returns j as a job that inherits i.
func (i Inherited) To(j Job) Job {
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

// base returns the values that the task has outside of its blocks: those that it has inherited, or those of Run's
// context.
func (t *Task) base() *values {
	if x := t.ext.Load(); x != nil && x.values != nil {
		return x.values
	}
	return t.l.set.values
}

// values returns the context that the task's own is derived from: its base, or the context that Observe has set.
func (t *Task) values() context.Context {
	if observed := t.Observed(); observed != nil {
		return observed
	}
	return t.base()
}

// values are the values of several contexts, without their ends: those of the innermost block's context first, those
// of Run's context last. A list never changes. It has a context once, and before the last at most valuesMax: if tasks
// start their successors in blocks, the lists would otherwise grow with each.
type values struct {
	context.Context                 // without its end
	of              context.Context // what it was made of
	rest            *values         // nil behind the last, which is Run's context or was derived from one with the rest
	run             *values         // of Run's context alone
}

// valuesMax is documented at ringo.Loop.WithContext.
const valuesMax = 32

// originKey is the key for which a context's Value returns the values that it was derived from.
type originKey struct{}

// valuesOf returns the values of Run's context.
func valuesOf(ctx context.Context) *values {
	v := &values{Context: context.WithoutCancel(ctx), of: ctx}
	v.run = v
	return v
}

// Value returns v itself for originKey, and for other keys the value of the first context that has one.
func (v *values) Value(key any) any {
	if key == (originKey{}) {
		return v
	}
	for ; v != nil; v = v.rest {
		if found := v.Context.Value(key); found != nil {
			return found
		}
	}
	return nil
}

// with returns the values of ctx, and behind them v, unless ctx was derived from a context with all of v. Without that
// check a task that goes on deriving from its Loop.Context, or a chain of tasks that start tasks, would double the
// contexts to ask at each step.
func (v *values) with(ctx context.Context) *values {
	w := &values{Context: context.WithoutCancel(ctx), of: ctx, run: v.run}
	origin, _ := ctx.Value(originKey{}).(*values)
	for ; origin != nil; origin = origin.rest {
		if origin == v {
			return w
		}
	}
	w.rest = v.without(ctx, valuesMax-1)
	return w
}

// without returns v without the values of ctx, and with those of at most so many contexts before the last.
func (v *values) without(ctx context.Context, most int) *values {
	switch {
	case v.rest == nil:
		return v
	case same(ctx, v.of):
		return v.rest
	case most == 0:
		return v.rest.without(ctx, 0)
	}
	w := *v
	w.rest = v.rest.without(ctx, most-1)
	return &w
}

// on returns v with the values of another Run's context behind it.
func (v *values) on(run *values) *values {
	w := *v
	w.run = run
	if v.rest == nil {
		w.rest = run
	} else {
		w.rest = v.rest.on(run)
	}
	return &w
}

// A blockContext is the context in a block: it ends with the block's limits, and has the block's values.
type blockContext struct {
	context.Context // that of the block, with the ends of those around it
	values          *values
}

// Value returns the value of the block's own context, or else of those around it.
func (c *blockContext) Value(key any) any {
	if key == (originKey{}) {
		return c.values
	}
	if found := c.Context.Value(key); found != nil || c.values.rest == nil {
		return found
	}
	return c.values.rest.Value(key)
}
