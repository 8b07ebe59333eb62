package watch

import (
	"slices"
	"testing"

	"ringo/internal/loop"
)

func waitOf(who, on loop.TaskRef, since int) lockWait {
	return lockWait{LockWait: loop.LockWait{Who: who, On: on, Since: loop.Coarse(since)}}
}

// Circles are found, each once, and chains that lead into one or nowhere are not in it.
func TestCircles(t *testing.T) {
	task := make([]loop.Task, 10)
	for _, c := range []struct {
		name string
		on   map[int]int // who waits for whom
		want [][]int
	}{
		{"nobody", nil, nil},
		{"one for one that runs", map[int]int{1: 2}, nil},
		{"a chain", map[int]int{1: 2, 2: 3, 3: 4}, nil},
		{"itself", map[int]int{3: 3}, [][]int{{3}}},
		{"two", map[int]int{1: 2, 2: 1}, [][]int{{1, 2}}},
		{"three, and who waits for them", map[int]int{1: 4, 4: 6, 6: 1, 2: 4, 3: 2}, [][]int{{1, 4, 6}}},
		{"two circles", map[int]int{1: 2, 2: 1, 5: 7, 7: 5, 8: 9}, [][]int{{1, 2}, {5, 7}}},
	} {
		for _, backwards := range []bool{false, true} {
			var all []lockWait
			for i := range task {
				if on, ok := c.on[i]; ok {
					all = append(all, waitOf(loop.TaskRef{Task: &task[i], ID: uint32(i)},
						loop.TaskRef{Task: &task[on], ID: uint32(on)}, i))
				}
			}
			if backwards {
				slices.Reverse(all)
			}
			var got [][]int
			for _, circle := range circles(all) {
				var ids []int
				for _, w := range circle {
					ids = append(ids, int(w.Who.ID))
				}
				got = append(got, ids)
			}
			slices.SortFunc(got, slices.Compare)
			if !slices.EqualFunc(got, c.want, slices.Equal[[]int]) {
				t.Errorf("%s: found %v, want %v", c.name, got, c.want)
			}
		}
	}
}

// A job that has another's Task, because it runs in the same worker, is not taken for it.
func TestCirclesOfJobs(t *testing.T) {
	task := make([]loop.Task, 2)
	all := []lockWait{
		waitOf(loop.TaskRef{Task: &task[0], ID: 7}, loop.TaskRef{Task: &task[1], ID: 1}, 0),
		waitOf(loop.TaskRef{Task: &task[1], ID: 1}, loop.TaskRef{Task: &task[0], ID: 6}, 0),
	}
	if found := circles(all); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
