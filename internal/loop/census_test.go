package loop_test

import (
	"math"
	"testing"

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
		tasks := l.Tasks()
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
		if s := states["ringo/internal/loop_test.TestTasksThatDoNotWait.func1"]; s != loop.TaskRunning {
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

// Tasks are in order also where their numbers begin anew.
func TestTaskNumbers(t *testing.T) {
	err := run(t, small(anyDriver(t)), func(l *loop.Loop) error {
		loop.SetBegun(l, math.MaxUint32-2)
		var tasks []*loop.Task
		for range 4 {
			tasks = append(tasks, l.GoNamed("a task", func() { l.YieldTurn(); l.YieldTurn() }))
		}
		l.YieldTurn()
		want := []uint32{math.MaxUint32 - 1, math.MaxUint32, 1, 2}
		for _, i := range l.Tasks() {
			if i.Named == "" {
				continue
			}
			if len(want) == 0 || i.ID != want[0] {
				t.Fatalf("a task has the number %d, want %d", i.ID, want)
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Errorf("no tasks %d", want)
		}
		for _, task := range tasks {
			task.Wait()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
