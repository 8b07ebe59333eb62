package loop

import (
	"slices"
	"testing"
)

// Circles are found, each once, and chains that lead into one or nowhere are not in it.
func TestCircles(t *testing.T) {
	task := make([]Task, 10)
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
					all = append(all, lockWait{who: lockUser{&task[i], uint32(i)}, on: lockUser{&task[on], uint32(on)},
						since: coarse(i)})
				}
			}
			if backwards {
				slices.Reverse(all)
			}
			var got [][]int
			for _, circle := range circles(all) {
				var ids []int
				for _, w := range circle {
					ids = append(ids, int(w.who.id))
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
	task := make([]Task, 2)
	all := []lockWait{
		{who: lockUser{&task[0], 7}, on: lockUser{&task[1], 1}},
		{who: lockUser{&task[1], 1}, on: lockUser{&task[0], 6}},
	}
	if found := circles(all); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
