//go:build linux

package loop_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/sys"
	"ringo/internal/test/looptest"
)

// A loop's thread is bound when its ring is made: what is touched first on another node is that node's memory.
func TestBoundBeforeTheRing(t *testing.T) {
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	last := cpus[len(cpus)-1:]
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Plan.Sets = [][]int{last}
		open, opened := cfg.Open, 0
		cfg.Open = func(dc driver.Config) (driver.Driver, error) {
			opened = syscall.Gettid()
			if at, err := sys.CPUs(0); !slices.Equal(at, last) {
				t.Errorf("the ring is made by a thread that may use %v, %v, want %v", at, err, last)
			}
			return open(dc)
		}
		err := run(t, cfg, func(*loop.Loop) error {
			if tid := syscall.Gettid(); tid != opened {
				t.Errorf("the loop is thread %d, and its ring was made by %d", tid, opened)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A CPU that there is not, any more, is an error, and nothing is left of the Run.
func TestBoundToNothing(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Loops = 2
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Plan.Sets = [][]int{cpus, {1023}}
	err = run(t, cfg, func(*loop.Loop) error { t.Error("fn ran"); return nil })
	if err == nil || !strings.Contains(err.Error(), "Config.Place: loop 1 can't be bound to CPUs 1023") {
		t.Error(err)
	}
}

// As many calls of Compute run as there are CPUs for goroutines, where these are kept to some.
func TestComputeHasTheRest(t *testing.T) {
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := small(anyDriver(t))
	cfg.Plan.Rest = cpus[:1]
	if len(cpus) == 1 {
		t.Skip("there is one CPU")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	var now, most atomic.Int64
	err = run(t, cfg, func(l *loop.Loop) error {
		for range 50 {
			l.Go(func() {
				l.OffloadIn(lane.Compute, func(context.Context) error {
					for n := now.Add(1); ; {
						if was := most.Load(); n <= was || most.CompareAndSwap(was, n) {
							break
						}
					}
					for range 200 {
						runtime.Gosched()
					}
					now.Add(-1)
					return nil
				})
			})
		}
		return nil
	})
	if err != nil || most.Load() != 1 {
		t.Errorf("%d ran at once, %v, want 1", most.Load(), err)
	}
}

// A loop that has its CPU for itself does not go through the scheduler, from which the way back is by the others' CPUs.
func TestALoopKeepsWhatIsItsOwn(t *testing.T) {
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range [][]int{nil, cpus[:1]} {
		if len(cpus) == 1 && rest != nil {
			t.Skip("there is one CPU")
		}
		yields := 0
		restore := loop.SetGosched(func() { yields++ })
		cfg := small(anyDriver(t))
		cfg.Plan.Rest = rest
		var clock looptest.Clock
		cfg.Clock, cfg.Since = clock.Now, nil
		err := run(t, cfg, func(l *loop.Loop) error {
			for range 100 {
				clock.Jump(time.Millisecond)
				l.Sleep(0)
			}
			return nil
		})
		restore()
		if err != nil || (yields > 0) != (rest == nil) {
			t.Errorf("%d yields, with others on %v: %v", yields, rest, err)
		}
	}
}
