package labels

import (
	"context"
	"iter"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"

	"ringo/internal/test/alloctest"
)

// On the architectures that are tested the place of the labels is found: where it is not, tasks start without labels,
// and somebody has to look.
func TestKnown(t *testing.T) {
	if readable && !Readable() {
		t.Fatalf("%s on %s: the labels are nowhere in the running g", runtime.Version(), runtime.GOARCH)
	}
	t.Logf("%s on %s: at %d", runtime.Version(), runtime.GOARCH, where)
}

// labelOf gives the one label of a set; "" for none.
func labelOf(s Set) (value string) {
	v := holder{Context: context.Background(), s: s}
	if s.None() {
		return ""
	}
	pprof.ForLabels(v, func(key, val string) bool {
		value = key + "=" + val
		return true
	})
	return value
}

func TestCurrent(t *testing.T) {
	if !Readable() {
		t.Skip("labels can't be read on " + runtime.GOARCH)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		if !Current().None() {
			t.Errorf("labels %q from nowhere", labelOf(Current()))
		}
		pprof.Do(context.Background(), pprof.Labels("who", "me"), func(context.Context) {
			mine := Current()
			if got := labelOf(mine); got != "who=me" {
				t.Errorf("read %q, want who=me", got)
			}
			var inner sync.WaitGroup
			inner.Go(func() {
				if Current() != mine {
					t.Errorf("a goroutine has %q, want those of who started it", labelOf(Current()))
				}
				Clear()
				if !Current().None() {
					t.Errorf("%q after Clear", labelOf(Current()))
				}
				mine.Apply()
				if Current() != mine {
					t.Errorf("%q after Apply, want who=me", labelOf(Current()))
				}
				Set{}.Apply()
				if !Current().None() {
					t.Errorf("%q after none were applied", labelOf(Current()))
				}
			})
			inner.Wait()
			next, stop := iter.Pull(func(yield func(Set) bool) { yield(Current()) })
			defer stop()
			if s, _ := next(); s != mine {
				t.Errorf("an iterator has %q, want those of who made it", labelOf(s))
			}
		})
		if !Current().None() {
			t.Errorf("%q behind Do", labelOf(Current()))
		}
	})
}

// Sets that nothing but this package holds outlast collections.
func TestSetsOutlastCollections(t *testing.T) {
	if !Readable() {
		t.Skip("labels can't be read on " + runtime.GOARCH)
	}
	var sets []Set
	for range 1000 {
		pprof.Do(context.Background(), pprof.Labels("k", "value"), func(context.Context) {
			sets = append(sets, Current())
		})
	}
	for range 3 {
		runtime.GC()
	}
	for _, s := range sets {
		if got := labelOf(s); got != "k=value" {
			t.Fatalf("%q, want k=value", got)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	if n := alloctest.Least(100, 0.1, func() { Current(); Clear() }); n > 0.1 {
		t.Errorf("%v allocations without labels, want 0", n)
	}
}

func BenchmarkCurrent(b *testing.B) {
	n := 0
	for b.Loop() {
		if Current().None() {
			n++
		}
	}
}

func BenchmarkClear(b *testing.B) {
	for b.Loop() {
		Clear()
	}
}

func BenchmarkApply(b *testing.B) {
	s := made("x")
	defer Clear()
	for b.Loop() {
		s.Apply()
	}
}
