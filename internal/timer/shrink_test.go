package timer

import "testing"

// A heap that has been large has little memory afterwards, and the timers that are left fire in their order.
func TestShrink(t *testing.T) {
	var h Heap
	timers := make([]Timer, 100_000)
	for i := range timers {
		h.Arm(&timers[i], int64(i))
	}
	h.Shrink()
	if cap(h.entries) < len(timers) {
		t.Fatalf("room for %d entries, with %d in use", cap(h.entries), len(timers))
	}
	const left = 3000
	for i := range timers[left:] {
		h.Remove(&timers[left+i])
	}
	h.Shrink()
	if got := cap(h.entries); got > 3*left {
		t.Errorf("room for %d entries is left, with %d in use", got, left)
	}
	for i := range left {
		if got := h.Pop(left); got != &timers[i] {
			t.Fatalf("pop %d gives another timer", i)
		}
	}
	h.Shrink()
	if got := cap(h.entries); got > keptMax {
		t.Errorf("room for %d entries is left, with none in use", got)
	}
	before := cap(h.entries)
	if h.Shrink(); cap(h.entries) != before {
		t.Errorf("room for %d entries, then %d: it goes on shrinking", before, cap(h.entries))
	}
}
