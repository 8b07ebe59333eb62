package hosted

import (
	"slices"
	"testing"
)

// FuzzCalls compares the queue with a slice.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2, 130, 1, 1, 1})
	f.Add([]byte{0, 2, 0, 0, 2, 129, 0, 1, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		var q calls
		var model []*call
		all := make([]call, 16)
		for _, b := range program {
			c := &all[b/4%16]
			in := slices.Contains(model, c)
			switch b % 4 {
			case 0, 3:
				if !in {
					q.push(c)
					model = append(model, c)
				}
			case 1:
				var want *call
				if len(model) > 0 {
					want, model = model[0], model[1:]
				}
				if got := q.pop(); got != want {
					t.Fatalf("popped %p, want %p", got, want)
				}
			case 2:
				if got := q.remove(c); got != in {
					t.Fatalf("removed %v, want %v", got, in)
				}
				model = slices.DeleteFunc(model, func(x *call) bool { return x == c })
			}
			var got []*call
			for at := q.head; at != nil; at = at.next {
				got = append(got, at)
			}
			if !slices.Equal(got, model) || q.n != len(model) || (q.tail == nil) != (len(model) == 0) {
				t.Fatalf("%d in the queue, %v, want %v", q.n, got, model)
			}
		}
	})
}
