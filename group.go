package ringo

// Group runs tasks of one loop that belong together, as golang.org/x/sync's
// errgroup does with goroutines. Only tasks of the loop may use it.
type Group struct {
	l     *Loop
	tasks []*Task
	err   error
}

// NewGroup makes a group on a loop.
func NewGroup(l *Loop) *Group { return &Group{l: l} }

// Go starts fn as a task of the group. The first error cancels the others.
func (g *Group) Go(fn func() error) {
	g.l.task("Go of a Group")
	failed := g.err != nil
	t := g.l.Go(func() {
		if err := fn(); err != nil {
			g.fail(err)
		}
	})
	g.tasks = append(g.tasks, t)
	if failed {
		t.Cancel()
	}
}

func (g *Group) fail(err error) {
	if g.err != nil {
		return
	}
	g.err = err
	for _, t := range g.tasks {
		t.Cancel()
	}
}

// Wait parks until all tasks of the group have ended, also those that they
// started in it, and returns the first error. A task that panicked or called
// runtime.Goexit counts as one that failed with what Task.Wait says.
func (g *Group) Wait() error {
	g.l.task("Wait of a Group")
	for i := 0; i < len(g.tasks); i++ {
		if err := g.tasks[i].Wait(); err != nil {
			g.fail(err)
		}
	}
	g.tasks = nil
	return g.err
}
