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

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/sys"
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
				l.Compute(func(context.Context) error {
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
