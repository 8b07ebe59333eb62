package op

import (
	"slices"
	"testing"

	"ringo/internal/test/alloctest"
)

// order is the list's ops, which must end where the list says.
func order(t *testing.T, l *List, ops []*Op) (is []int) {
	t.Helper()
	var last *Op
	for o := l.First(); o != nil; o = o.Next {
		is, last = append(is, slices.Index(ops, o)), o
	}
	if l.last != last || l.Empty() != (last == nil) {
		t.Errorf("%v: the last is %p, should be %p; empty: %v", is, l.last, last, l.Empty())
	}
	return is
}

func TestListKeepsItsOrder(t *testing.T) {
	for out := range 4 { // which of three is taken out; the fourth is not in the list
		var l List
		ops := []*Op{new(Op), new(Op), new(Op), new(Op)}
		want := []int{0, 1, 2}
		for _, o := range ops[:3] {
			l.Push(o)
		}
		if was := l.Remove(ops[out]); was != (out < 3) {
			t.Errorf("Remove of %d reports %v", out, was)
		}
		if l.Remove(ops[out]) || ops[out].Next != nil {
			t.Errorf("%d is still in the list", out)
		}
		want = slices.DeleteFunc(want, func(i int) bool { return i == out })
		if got := order(t, &l, ops); !slices.Equal(got, want) {
			t.Errorf("without %d: %v, want %v", out, got, want)
		}
		l.Push(ops[3])
		all := l.TakeAll()
		if got := order(t, &l, ops); got != nil {
			t.Errorf("%v were left behind", got)
		}
		l.Push(new(Op)) // for the next time
		for _, i := range append(want, 3) {
			if o := all.Pop(); o != ops[i] || o.Next != nil {
				t.Errorf("without %d: %d comes where %d should", out, slices.Index(ops, o), i)
			}
		}
		if order(t, &all, ops) != nil {
			t.Error("more came out than went in")
		}
	}
}

func TestListRemovesTheOldestOfSeveral(t *testing.T) {
	var l List
	a, b, c := &Op{Code: Recv}, &Op{Code: Send}, &Op{Code: Send}
	l.Push(a)
	l.Push(b)
	l.Push(c)
	sends := func(o *Op) bool { return o.Code == Send }
	for i, want := range []*Op{b, c, nil} {
		if got := l.RemoveFirst(sends); got != want {
			t.Errorf("removal %d: %p, want %p", i+1, got, want)
		}
	}
	if l.First() != a || a.Next != nil {
		t.Error("what was not meant went, too")
	}
}

func TestListDoesNotAllocate(t *testing.T) {
	var l List
	a, b := new(Op), new(Op)
	if n := alloctest.Least(100, 0.1, func() {
		l.Push(a)
		l.Push(b)
		l.Remove(b)
		l.Pop()
	}); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}
