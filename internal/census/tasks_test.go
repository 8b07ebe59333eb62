package census_test

import (
	"testing"

	"ringo/internal/census"
	"ringo/internal/loop"
)

// What is about to run and what has not begun is in the list; coroutines without a task are not.
func TestTasksThatDoNotWait(t *testing.T) {
	err := run(t, small(anyDriver(t)), func(l *loop.Loop) error {
		var idle []*loop.Task
		for range 100 {
			idle = append(idle, l.Go(func() { l.YieldTurn() }))
		}
		for _, task := range idle {
			task.Wait()
		}
		over := false
		spinner := l.GoNamed("spinner", func() {
			for !over {
				l.YieldTurn()
			}
		})
		l.YieldTurn()
		fresh := l.GoNamed("fresh", func() {})
		states := map[string]loop.TaskState{}
		tasks := census.Tasks(l)
		for i := range tasks {
			states[tasks[i].Name()] = tasks[i].State
			if n := tasks[i].Name(); n == "fresh" && (tasks[i].ID != 0 || !tasks[i].Began.IsZero()) {
				t.Errorf("a task that has not begun is %+v", tasks[i])
			}
		}
		if s, ok := states["fresh"]; !ok || s != loop.TaskNew {
			t.Errorf("a task that has not begun is %v (%v)", s, ok)
		}
		if s := states["spinner"]; s != loop.TaskYielded && s != loop.TaskReady {
			t.Errorf("a task that yields is %v", s)
		}
		if s := states["ringo/internal/census_test.TestTasksThatDoNotWait.func1"]; s != loop.TaskRunning {
			t.Errorf("the task that looks is %v", s)
		}
		if len(tasks) != 3 {
			t.Errorf("%d tasks, want 3: those that have ended are none", len(tasks))
		}
		over = true
		spinner.Wait()
		return fresh.Wait()
	})
	if err != nil {
		t.Error(err)
	}
}
