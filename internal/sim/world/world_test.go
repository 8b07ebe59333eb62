package world

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"
)

// Events happen in the order of their times, those of one time in the order in which they were planned, and the clock
// says when.
func TestOrder(t *testing.T) {
	w := New(1)
	var got []int
	note := func(n int) func() { return func() { got = append(got, n) } }
	w.After(2*time.Second, note(4))
	w.After(time.Second, note(1))
	dropped := w.After(time.Second, note(2))
	w.After(time.Second, note(3))
	w.At(w.Now()-5, note(0)) // as soon as can be
	if !w.Drop(dropped) || w.Drop(dropped) || w.Drop(nil) {
		t.Error("an event is dropped once")
	}
	for w.Step(Start + int64(time.Second)) {
	}
	if want := []int{0, 1, 3}; !slices.Equal(got, want) || w.Now() != Start+int64(time.Second) {
		t.Errorf("after a second: %v at %d, want %v", got, w.Now(), want)
	}
	if at, ok := w.Next(); !ok || at != Start+2*int64(time.Second) {
		t.Errorf("the next is at %d, %v", at, ok)
	}
	if !w.Step(1<<62) || w.Step(1<<62) || len(got) != 4 {
		t.Errorf("at the end: %v", got)
	}
	w.MoveTo(Start + int64(time.Hour))
	if w.Now() != Start+int64(time.Hour) {
		t.Errorf("the clock says %d", w.Now())
	}
}

// due is when an event is to happen.
type due struct {
	at    int64
	order int
}

// Whatever is planned, planned anew and dropped: what is left happens in the order of time, and of planning.
func TestOrderOfMany(t *testing.T) {
	first := func(left map[int]due) due {
		return slices.MinFunc(slices.Collect(maps.Values(left)), func(a, b due) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order))
		})
	}
	w := New(3)
	chance := w.Rand()
	var want, got []due
	events, left := map[int]*Event{}, map[int]due{}
	for order := range 20_000 {
		i, at := chance.IntN(300), w.Now()+chance.Int64N(50)
		switch chance.IntN(4) {
		case 0:
			_, planned := left[i]
			if w.Drop(events[i]) != planned {
				t.Fatalf("event %d: dropped, though it was planned: %v", i, planned)
			}
			delete(left, i)
		case 1:
			w.Step(w.Now() + 5)
		default:
			if events[i] == nil {
				events[i] = NewEvent(func() {
					got, want = append(got, left[i]), append(want, first(left))
					delete(left, i)
				})
			}
			w.Plan(events[i], at)
			left[i] = due{at, order}
		}
	}
	for w.Step(1 << 62) {
	}
	if !slices.Equal(got, want) || len(got) < 1000 || len(left) > 0 {
		t.Errorf("%d events happened, of %d: %v", len(got), len(want), left)
	}
}

// The clock passes no event.
func TestMoveTo(t *testing.T) {
	w := New(1)
	w.After(time.Second, func() {})
	defer func() {
		if recover() == nil {
			t.Error("the clock has passed an event")
		}
	}()
	w.MoveTo(Start + int64(time.Minute))
}

// What is planned by an event happens in its turn.
func TestPlansOfEvents(t *testing.T) {
	w := New(1)
	n := 0
	var again func()
	again = func() {
		if n++; n < 1000 {
			w.After(time.Millisecond, again)
		}
	}
	again()
	for w.Step(1 << 62) {
	}
	if n != 1000 || w.Now() != Start+int64(999*time.Millisecond) {
		t.Errorf("%d events, at %d", n, w.Now())
	}
}

// A seed gives the same chances again, and another gives others; what is certain asks for none.
func TestChance(t *testing.T) {
	roll := func(seed uint64, certain bool) (all []bool) {
		w := New(seed)
		for range 64 {
			if certain && (w.Chance(0) || !w.Chance(1)) {
				t.Error("what is certain is not")
			}
			all = append(all, w.Chance(0.5))
		}
		return all
	}
	if !slices.Equal(roll(7, false), roll(7, true)) {
		t.Error("one seed, two histories")
	}
	if slices.Equal(roll(7, false), roll(8, false)) {
		t.Error("two seeds, one history")
	}
}

func BenchmarkEvent(b *testing.B) {
	w := New(1)
	for range 1000 {
		w.After(time.Duration(w.Rand().Int64N(int64(time.Second))), func() {})
	}
	for b.Loop() {
		w.After(time.Duration(w.Rand().Int64N(int64(time.Second))), func() {})
		w.Step(1 << 62)
	}
}
