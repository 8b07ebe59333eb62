package loop

import (
	"slices"
	"testing"
)

// FuzzTaskList holds the list against a slice.
func FuzzTaskList(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 2, 255, 0, 129, 130, 128, 255, 255})
	f.Add([]byte{0, 1, 129, 2, 130, 255, 255})
	f.Add([]byte{5, 133, 5, 6, 133, 134, 255})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var tasks [128]Task
		var list TaskList
		var model []*Task
		for _, b := range ops {
			task := &tasks[b%128]
			at := slices.Index(model, task)
			switch {
			case b == 255:
				want := (*Task)(nil)
				if len(model) > 0 {
					want, model = model[0], model[1:]
				}
				if got := list.Pop(); got != want {
					t.Fatalf("Pop gives %p, want %p", got, want)
				}
			case b >= 128:
				list.Remove(task) // does nothing if it is not in the list
				if at >= 0 {
					model = slices.Delete(slices.Clone(model), at, at+1)
				}
			case at < 0:
				list.Push(task)
				model = append(slices.Clone(model), task)
			}
			if list.Empty() != (len(model) == 0) {
				t.Fatalf("Empty is %t with %d tasks", list.Empty(), len(model))
			}
			for i := range tasks {
				if in := tasks[i].next != nil; in != slices.Contains(model, &tasks[i]) {
					t.Fatalf("task %d is linked: %t", i, in)
				}
			}
		}
		for _, want := range model {
			if got := list.Pop(); got != want {
				t.Fatalf("Pop gives %p at the end, want %p", got, want)
			}
		}
	})
}
