package ringo

import "ringo/internal/loop"

// Group runs tasks of one loop that belong together, as golang.org/x/sync's
// errgroup does with goroutines. Only tasks of the loop may use it.
type Group struct {
	l     *Loop
	tasks []*member // those that have not ended
	err   error     // the first
}

// member is one task of a group.
type member struct {
	task *loop.Task
	at   int // its place in tasks
	err  error
}

// NewGroup makes a group on a loop.
func NewGroup(l *Loop) *Group { return &Group{l: l} }

// Go starts fn as a task of the group. The first error cancels the others, also
// those that are started later.
func (g *Group) Go(fn func() error) {
	l := g.loop().task("Group.Go")
	wantFunc(fn != nil, "Group.Go")
	m := &member{at: len(g.tasks)}
	m.task = l.GoThen(func() { m.err = fn() }, func(end error) { g.ended(m, end) })
	g.tasks = append(g.tasks, m)
	if g.err != nil {
		m.task.Cancel()
	}
}

// ended takes a task out. end is nil if its fn has returned.
func (g *Group) ended(m *member, end error) {
	last := len(g.tasks) - 1
	g.tasks[last].at = m.at
	g.tasks[m.at], g.tasks[last] = g.tasks[last], nil
	g.tasks = g.tasks[:last]
	if end == nil {
		end = m.err
	}
	if end == nil || g.err != nil {
		return
	}
	g.err = end
	for _, other := range g.tasks {
		other.task.Cancel()
	}
}

// Wait parks until all tasks of the group have ended, also those that they
// started in it, and returns the first error. A task that panicked or called
// runtime.Goexit counts as one that failed with what Task.Wait says.
func (g *Group) Wait() error {
	g.loop().task("Group.Wait")
	for len(g.tasks) > 0 {
		g.tasks[0].task.Wait()
	}
	return g.err
}

func (g *Group) loop() *Loop {
	if g == nil {
		return nil
	}
	return g.l
}
