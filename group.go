package ringo

import (
	"context"
	"fmt"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// A Group runs related tasks of one loop, as golang.org/x/sync's errgroup does with goroutines. Only tasks of the loop
// may use it. NewGroup or GroupWithContext makes it.
type Group struct {
	l      *Loop
	tasks  []*member // tasks that have not ended
	err    error     // the first error
	ctx    context.Context
	cancel context.CancelCauseFunc // nil without a context

	limited bool
	limit   int
	active  int           // tasks, and places that ended tasks have left to callers of Go
	room    loop.TaskList // tasks that wait in Go
}

// member is one task of a group.
type member struct {
	task *loop.Task
	at   int // index in tasks
	err  error
}

// NewGroup makes a group on a loop.
func NewGroup(l *Loop) *Group { return &Group{l: l} }

// GroupWithContext makes a group on a loop whose tasks run in a Loop.WithContext of the returned context. That context
// is derived from ctx, and is done when Wait returns or a task fails. In the second case its cause is the task's error,
// so the waits of the other tasks end with an error that has the first error as its cause. Any goroutine may call it.
func GroupWithContext(ctx context.Context, l *Loop) (*Group, context.Context) {
	g := NewGroup(l)
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g, g.ctx
}

// SetLimit limits the group to n tasks at a time. A negative n, the default, means no limit. It panics while tasks of
// the group run.
func (g *Group) SetLimit(n int) {
	g.loop().task("Group.SetLimit")
	if g.active > 0 {
		panic(fmt.Sprintf("ringo: Group.SetLimit while %d tasks run", g.active))
	}
	g.limited, g.limit = n >= 0, n
}

// Go starts fn as a task of the group. If SetLimit's limit is reached, Go parks until a task has ended, even if the
// caller is cancelled; if the limit is 0, it panics. The first error cancels the other tasks, including those started
// later.
func (g *Group) Go(fn func() error) {
	l := g.loop().task("Group.Go")
	wantFunc(fn != nil, "Group.Go")
	switch {
	case !g.full():
		g.active++
	case g.limit == 0:
		panic("ringo: Group.Go with a limit of 0 tasks")
	default:
		g.room.Push(l.Task())
		l.Park((*groupRoom)(g)) // a task that ends leaves its place to this one
	}
	g.start(l, fn)
}

// groupRoom is a Group as what a task in Go waits for.
type groupRoom Group

// DescribeWait names the call.
func (r *groupRoom) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op = "Group.Go" }

// TryGo is like Go, but returns false where Go would wait or panic because of the limit. It reports whether it started
// fn.
func (g *Group) TryGo(fn func() error) bool {
	l := g.loop().task("Group.TryGo")
	wantFunc(fn != nil, "Group.TryGo")
	l.Charge()
	if g.full() {
		return false
	}
	g.active++
	g.start(l, fn)
	return true
}

func (g *Group) full() bool { return g.limited && g.active >= g.limit }

func (g *Group) start(l *loop.Loop, fn func() error) {
	m := &member{at: len(g.tasks)}
	run := func() {
		l.RunsFor(code.Of(fn))
		if g.cancel != nil {
			m.err = l.WithContext(g.ctx, fn)
		} else {
			m.err = fn()
		}
	}
	m.task = l.Go(run).Then(func(end error) { g.ended(m, end) })
	g.tasks = append(g.tasks, m)
	if g.err != nil && g.cancel == nil {
		m.task.Cancel()
	}
}

// ended removes a task that has ended. end is nil if its fn has returned.
func (g *Group) ended(m *member, end error) {
	last := len(g.tasks) - 1
	g.tasks[last].at = m.at
	g.tasks[m.at], g.tasks[last] = g.tasks[last], nil
	g.tasks = g.tasks[:last]
	if next := g.room.Pop(); next != nil {
		g.l.engine().Ready(next)
	} else {
		g.active--
	}
	if end == nil {
		end = m.err
	}
	if end == nil || g.err != nil {
		return
	}
	g.err = end
	if g.cancel != nil {
		g.cancel(end) // ends the waits of the tasks, with the error as the cause
		return
	}
	for _, other := range g.tasks {
		other.task.Cancel()
	}
}

// Wait parks until all tasks of the group have ended, including those that these have started in the group, and returns
// the first error. A task that panicked or called runtime.Goexit counts as failed, with the error that Task.Wait
// returns.
func (g *Group) Wait() error {
	g.loop().task("Group.Wait")
	for len(g.tasks) > 0 {
		g.tasks[0].task.Wait()
	}
	if g.cancel != nil {
		g.cancel(g.err)
	}
	return g.err
}

func (g *Group) loop() *Loop {
	if g == nil {
		return nil
	}
	return g.l
}
