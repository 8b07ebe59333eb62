package ringo_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// lanes are the two ways out of a loop, with the bound that each has.
var lanes = []struct {
	name  string
	call  func(l *ringo.Loop, fn func(context.Context) error) error
	bound func(cfg *ringo.Config) int // sets it, if it can be set
}{
	{"Offload", (*ringo.Loop).Offload, func(cfg *ringo.Config) int { cfg.Offload = 3; return 3 }},
	{"Compute", (*ringo.Loop).Compute, func(cfg *ringo.Config) int { return max(1, runtime.GOMAXPROCS(0)-cfg.Loops) }},
}

func eachLane(t *testing.T,
	f func(t *testing.T, cfg ringo.Config, bound int, call func(*ringo.Loop, func(context.Context) error) error)) {
	for _, lane := range lanes {
		t.Run(lane.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Loops = 2
				f(t, cfg, lane.bound(&cfg), lane.call)
			})
		})
	}
}

// What fn writes is the task's when the call returns; only the task waits.
func TestOffload(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		err := run(t, cfg, func(l *ringo.Loop) error {
			turns := 0
			ticker := l.Go(func() {
				for l.Sleep(100*time.Microsecond) == nil {
					turns++
				}
			})
			defer ticker.Cancel()
			for i := range 50 {
				written := 0
				err := call(l, func(ctx context.Context) error {
					if ctx.Err() != nil || l.Sleep(0) != ringo.ErrNotTask {
						t.Error("fn runs cancelled, or on the loop")
					}
					written = i
					return io.EOF
				})
				if err != io.EOF || written != i {
					t.Errorf("%v, %d written", err, written)
				}
			}
			before := turns
			call(l, func(context.Context) error {
				<-time.After(20 * time.Millisecond)
				return nil
			})
			if turns == before {
				t.Error("the loop stood still meanwhile")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// So many run at once, in all loops together, and no more; the others queue, in
// order.
func TestOffloadBound(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		var running, most, done atomic.Int64
		full := make(chan struct{})
		var once sync.Once
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 4 * bound {
				l.Go(func() {
					err := call(l, func(context.Context) error {
						n := running.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
						if n == int64(bound) {
							once.Do(func() { close(full) })
						}
						receive(t, "as many calls as may run at once", full)
						<-time.After(time.Millisecond) // room for one too many
						running.Add(-1)
						done.Add(1)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
		equal(t, "calls at once", int(most.Load()), bound)
		equal(t, "calls", int(done.Load()), cfg.Loops*4*bound)
	})
}

// Cancelled while queued, fn is not run.
func TestOffloadCancelledInQueue(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			var running atomic.Int64
			release := make(chan struct{})
			for range bound {
				l.Go(func() {
					call(l, func(context.Context) error { running.Add(1); <-release; return nil })
				})
			}
			sleepUntil(t, l, "a full lane", func() bool { return running.Load() == int64(bound) })
			var got []error
			queued := make([]*ringo.Task, 5)
			for i := range queued {
				queued[i] = l.Go(func() {
					got = append(got, call(l, func(context.Context) error {
						t.Error("a cancelled call ran")
						return nil
					}))
				})
			}
			l.Sleep(0)
			for _, i := range []int{2, 0, 4, 1, 3} { // from the middle, the front, the back
				queued[i].Cancel()
			}
			for _, task := range queued {
				task.Wait()
			}
			canceled := context.Canceled
			equalList(t, "errors", got, []error{canceled, canceled, canceled, canceled, canceled})
			close(release)
			if err := call(l, func(context.Context) error { return nil }); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

// Cancelled while running, fn is told by its context, and the call returns when
// fn has, not before: it may still write to what the task owns.
func TestOffloadCancelledWhileRunning(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			for _, give := range []error{nil, io.EOF, context.Canceled} {
				begun := make(chan struct{})
				var written bool
				var got error
				task := l.Go(func() {
					got = call(l, func(ctx context.Context) error {
						close(begun)
						receive(t, "the context's end", ctx.Done())
						runtime.Gosched()
						written = true
						return give
					})
					if !written {
						t.Error("the call returned before fn")
					}
				})
				await(t, l, "fn", begun)
				task.Cancel()
				task.Wait()
				if !errors.Is(got, give) {
					t.Errorf("%v, want what fn returned: %v", got, give)
				}
			}
		})
	})
}

func TestOffloadGoexit(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			cleaned := false
			err := call(l, func(context.Context) error {
				defer func() { cleaned = true }()
				runtime.Goexit()
				return nil
			})
			if err != ringo.ErrGoexit || !cleaned {
				t.Errorf("%v, cleaned: %v; want ErrGoexit, and the task goes on", err, cleaned)
			}
		})
	})
}

// A task that was cancelled before it asks is refused.
func TestOffloadAfterCancel(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, _ int, call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			var got error
			task := l.Go(func() { got = call(l, func(context.Context) error { t.Error("it ran"); return nil }) })
			task.Cancel()
			task.Wait()
			equal(t, "error", got, context.Canceled)
		})
	})
}

// A call that ends that way does not take its place in the lane along.
func TestOffloadGoexitGivesItsPlaceBack(t *testing.T) {
	eachLane(t, func(t *testing.T, cfg ringo.Config, bound int,
		call func(*ringo.Loop, func(context.Context) error) error) {
		beside(t, cfg, func(l *ringo.Loop) {
			for range 3 * bound {
				if err := call(l, func(context.Context) error {
					runtime.Goexit()
					return nil
				}); err != ringo.ErrGoexit {
					t.Error(err)
				}
			}
			if err := call(l, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	})
}

// Calls that wait for a slot are counted, and a time limit that ends one says that it was for a slot that it waited.
func TestFullOffload(t *testing.T) {
	const slots, more = 3, 5
	cfg := anyDriver(t)
	cfg.Offload = slots
	release := make(chan bool)
	var begun atomic.Int32
	if err := run(t, cfg, func(l *ringo.Loop) error {
		var tasks []*ringo.Task
		for range slots + more {
			tasks = append(tasks, l.Go(func() {
				l.Offload(func(context.Context) error { begun.Add(1); <-release; return nil })
			}))
		}
		for begun.Load() < slots {
			l.Sleep(0)
		}
		load := func() ringo.LaneStats { return laneOf(t, l.Stats(), "offload") }
		if got := load(); got.Max != slots || got.Running != slots || got.Waiting != more || got.Waited != 0 {
			t.Errorf("%+v, want %d that run and %d that wait", got, slots, more)
		}
		err := l.WithTimeout(time.Millisecond, func() error {
			return l.Offload(func(context.Context) error { return nil })
		})
		var timeout interface{ Timeout() bool }
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() ||
			!strings.Contains(err.Error(), "no slot came free in time for one of the calls of Loop.Offload") ||
			!strings.Contains(err.Error(), "3 × ringo_test.TestFullOffload") {
			t.Errorf("a call that got no slot in time: %v", err)
		}
		// Names and files have slots of their own.
		if err := l.Compute(func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		for load().Oldest < 10*time.Millisecond {
			l.Sleep(time.Millisecond)
		}
		close(release)
		for _, task := range tasks {
			task.Wait()
		}
		got := load()
		if got.Waiting != 0 || got.Waited != more || got.Longest < 10*time.Millisecond || got.Oldest != 0 {
			t.Errorf("in the end %+v, want %d that waited", got, more)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func laneOf(t *testing.T, s ringo.Stats, name string) ringo.LaneStats {
	for _, lane := range s.Lanes {
		if lane.Name == name {
			return lane
		}
	}
	t.Fatalf("Stats have no lane %q: %+v", name, s.Lanes)
	return ringo.LaneStats{}
}
