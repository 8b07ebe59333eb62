package loop_test

import (
	"iter"
	"runtime"
	"sync"
	"testing"

	"ringo/internal/loop"
)

// Thousands of tasks, some of which end, are each found, by loop and task, and so are their
// iterators; nobody else is, although the runtime gives the g of a coroutine that has ended
// to goroutines.
func TestCurrentAmongMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops = 2
		const many = 3000 // on each loop
		err := run(t, cfg, func(l *loop.Loop) error {
			here := func() {
				if got, task := loop.Current(); got != l || task != l.Task() {
					t.Errorf("in a task: loop %p, task %p; want %p, %p", got, task, l, l.Task())
				}
				next, stop := iter.Pull(func(yield func(bool) bool) {
					got, task := loop.Current()
					yield(got == l && task == l.Task() && l.IsCurrent())
				})
				defer stop()
				if ok, _ := next(); !ok {
					t.Error("an iterator that a task runs is not found")
				}
			}
			var tasks []*loop.Task
			for i := range many {
				tasks = append(tasks, l.Go(func() {
					here()
					l.Park(nil)
					here()
					if i%3 == 0 {
						runtime.Goexit()
					}
				}))
			}
			l.Sleep(0)
			for !loop.Parked(tasks[many-1]) {
				l.Sleep(0)
			}
			for _, task := range tasks {
				l.Ready(task)
			}
			for i, task := range tasks {
				if err := task.Wait(); (err == loop.ErrGoexit) != (i%3 == 0) {
					t.Errorf("task %d: %v", i, err)
				}
			}
			var strangers sync.WaitGroup
			for range many {
				strangers.Go(func() {
					if got, _ := loop.Current(); got != nil || l.IsCurrent() {
						t.Errorf("on a goroutine: loop %p", got)
					}
				})
			}
			strangers.Wait()
			here()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
