package loop_test

import (
	"math"
	"testing"

	"ringo/internal/census"
	"ringo/internal/loop"
)

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
		for _, i := range census.Tasks(l) {
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
