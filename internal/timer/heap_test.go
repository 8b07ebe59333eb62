package timer

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"ringo/internal/test/alloctest"
)

// drain pops everything due at now and returns the owners.
func drain(h *Heap, now int64) []any {
	var got []any
	for t := h.Pop(now); t != nil; t = h.Pop(now) {
		got = append(got, t.Owner)
	}
	return got
}

func check(t *testing.T, h *Heap) {
	t.Helper()
	for i, e := range h.entries {
		if int(e.timer.index) != i+1 {
			t.Fatalf("entry %d: its timer says index %d", i, e.timer.index)
		}
		if e.at != e.timer.filed.at {
			t.Fatalf("entry %d: at %d, its timer is filed at %d", i, e.at, e.timer.filed.at)
		}
		if e.timer.armed && e.timer.at < e.at {
			t.Fatalf("entry %d: filed at %d, later than the timer's %d", i, e.at, e.timer.at)
		}
		if i > 0 && before(e, h.entries[(i-1)/arity]) {
			t.Fatalf("entry %d comes before its parent", i)
		}
	}
}

func TestPopOrder(t *testing.T) {
	var h Heap
	timers := make([]Timer, 1000)
	var want []any
	for i, at := range rand.Perm(len(timers)) {
		timers[i].Owner = at / 10 // ten share an instant
		h.Arm(&timers[i], int64(at/10))
		check(t, &h)
	}
	for i := range len(timers) {
		want = append(want, i/10)
	}
	if got := drain(&h, math.MaxInt64); !slices.Equal(got, want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
	if h.Len() != 0 {
		t.Errorf("Len after everything fired: %d, want 0", h.Len())
	}
}

func TestPopTiesInArmOrder(t *testing.T) {
	var h Heap
	timers := make([]Timer, 6)
	for i := range timers {
		timers[i].Owner = i
	}
	// 0 is armed first but moved to the shared instant last; 5 comes down to it.
	h.Arm(&timers[0], 5)
	h.Arm(&timers[5], 50)
	for i := 1; i < 5; i++ {
		h.Arm(&timers[i], 10)
	}
	h.Arm(&timers[5], 10)
	h.Arm(&timers[0], 10)
	if got, want := drain(&h, 10), []any{1, 2, 3, 4, 5, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// The one on top is armed again for the instant that it has.
	h.Arm(&timers[0], 20)
	h.Arm(&timers[1], 20)
	h.Arm(&timers[0], 20)
	if got, want := drain(&h, 20), []any{1, 0}; !slices.Equal(got, want) {
		t.Errorf("armed again: got %v, want %v", got, want)
	}
}

func TestPopStopsAtNow(t *testing.T) {
	var h Heap
	a, b := Timer{Owner: "a"}, Timer{Owner: "b"}
	h.Arm(&a, 10)
	h.Arm(&b, 11)
	for _, c := range []struct {
		now  int64
		want []any
		next int64
	}{
		{9, nil, 10},
		{10, []any{"a"}, 11},
		{11, []any{"b"}, 0},
	} {
		if got := drain(&h, c.now); !slices.Equal(got, c.want) {
			t.Errorf("at %d: got %v, want %v", c.now, got, c.want)
		}
		if next, _ := h.Next(); next != c.next {
			t.Errorf("at %d: Next %d, want %d", c.now, next, c.next)
		}
	}
	if _, ok := h.Next(); ok {
		t.Error("Next of an empty heap says ok")
	}
}

// A deadline moved later must not touch the heap, and must wake a sleeping loop
// for nothing once, however often it was moved.
func TestArmLaterTouchesNothing(t *testing.T) {
	var h Heap
	var a, b Timer
	h.Arm(&a, 10)
	h.Arm(&b, 20)
	before := slices.Clone(h.entries)
	for at := int64(11); at < 1000; at++ {
		h.Arm(&a, at)
		h.Disarm(&a)
	}
	h.Arm(&a, 1000)
	if !slices.Equal(h.entries, before) {
		t.Fatalf("entries %v, want them untouched: %v", h.entries, before)
	}
	if at, _ := h.Next(); at != 10 {
		t.Errorf("Next %d, want the filed 10", at)
	}
	if got := h.Pop(10); got != nil {
		t.Errorf("Pop(10) fired a timer armed for %d", got.At())
	}
	if at, _ := h.Next(); at != 20 {
		t.Errorf("Next after the stale entry surfaced: %d, want 20", at)
	}
	if got := h.Pop(20); got != &b {
		t.Errorf("Pop(20) = %p, want b", got)
	}
	if got := h.Pop(999); got != nil {
		t.Error("fired before its instant")
	}
	if got := h.Pop(1000); got != &a || a.Armed() {
		t.Errorf("Pop(1000) = %p, armed %v, want a, disarmed", got, a.Armed())
	}
}

func TestDisarm(t *testing.T) {
	var h Heap
	timers := make([]Timer, 100)
	for range 1000 { // a timer has one entry, whatever is done to it
		for i := range timers {
			h.Arm(&timers[i], int64(100+i))
			h.Disarm(&timers[i])
		}
	}
	if h.Len() != len(timers) {
		t.Fatalf("Len %d, want one entry per timer: %d", h.Len(), len(timers))
	}
	if got := drain(&h, 149); got != nil {
		t.Errorf("disarmed timers fired: %v", got)
	}
	if h.Len() != 50 {
		t.Errorf("Len %d, want 50: half of the entries have surfaced", h.Len())
	}
	for i := range timers {
		h.Remove(&timers[i])
		check(t, &h)
	}
	if h.Len() != 0 {
		t.Errorf("Len %d after Remove of all", h.Len())
	}
	for _, e := range h.entries[:cap(h.entries)] {
		if e.timer != nil {
			t.Fatal("the heap still refers to a removed timer")
		}
	}
}

func TestRearmInsidePop(t *testing.T) {
	var h Heap
	var a Timer
	h.Arm(&a, 1)
	for now := int64(1); now < 100; now++ {
		if h.Pop(now) != &a {
			t.Fatalf("at %d: the timer that was armed again did not fire", now)
		}
		h.Arm(&a, now+1)
	}
	if h.Len() != 1 {
		t.Errorf("Len %d, want 1", h.Len())
	}
}

func TestForeignHeapPanics(t *testing.T) {
	var mine, other Heap
	var a Timer
	mine.Arm(&a, 10)
	for name, f := range map[string]func(){
		"Arm":    func() { other.Arm(&a, 5) },
		"Remove": func() { other.Remove(&a) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s on another heap did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestTimerFitsACacheLine(t *testing.T) {
	if got := reflect.TypeFor[Timer]().Size(); got > 64 {
		t.Errorf("a Timer takes %d bytes, want at most 64", got)
	}
}

func TestNoAllocs(t *testing.T) {
	var h Heap
	timers := make([]Timer, 1000)
	round := func() {
		for i := range timers {
			h.Arm(&timers[i], int64(i*7919%1000))
			h.Arm(&timers[i], int64(i*7919%1000+5))
		}
		for h.Pop(2000) != nil {
		}
	}
	round()
	if got := alloctest.Least(10, 0.1, round); got > 0.1 {
		t.Errorf("%v allocations a round, want 0", got)
	}
}
