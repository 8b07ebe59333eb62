package loop_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/test/patience"
)

// A burst's coroutines, slots and buffers are given back within seconds, but for a few, on a loop that sleeps; after
// that nobody wakes it any more.
func TestBurstIsGivenBack(t *testing.T) {
	defer loop.SetIdleAfter(20 * time.Millisecond)()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		withLoop(t, cfg, func(l *loop.Loop) {
			const n = 5000
			before, memory := runtime.NumGoroutine(), stackAndHeap()
			for range 2 { // the second finds what the first left
				if most := burst(t, l, n); most < n { // before may count what was about to end
					t.Fatalf("%d goroutines, want more than %d", most, n)
				}
				patience.Until(t, "coroutines to end", func() bool { return runtime.NumGoroutine() < before+30 })
				var workers, slots, buffers int
				patience.Until(t, "the loop to have nothing to give back", func() bool {
					onLoop(t, l, func() { workers, slots, buffers = loop.Kept(l) })
					return workers < 30 && slots <= 256 && buffers < 10
				})
				if race.Enabled {
					continue // it keeps a record of each coroutine
				}
				patience.Until(t, "memory to be given back", func() bool { return stackAndHeap() < memory+6<<20 })
			}
			patience.Until(t, "the end of trims", func() bool { return !loop.TrimLoops() })
		})
	})
}

// What a load needs again and again stays, however often the loop trims.
func TestSteadyLoadKeepsWhatItNeeds(t *testing.T) {
	cfg := small(anyDriver(t))
	defer loop.SetIdleAfter(time.Hour)() // only the test trims
	withLoop(t, cfg, func(l *loop.Loop) {
		const n = 200
		var first map[any]bool
		for round := range 6 {
			burst(t, l, n)
			onLoop(t, l, func() {
				workers := loop.Workers(l)
				if round == 0 {
					first = workers
				}
				for w := range workers {
					if !first[w] {
						t.Errorf("round %d: one beside the first %d was made for %d at once", round, len(first), n)
					}
				}
			})
			loop.TrimLoops()
		}
	})
}

// A trim that is still ending coroutines when they are needed leaves them to those who do.
func TestTrimBesideBurst(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		withLoop(t, cfg, func(l *loop.Loop) {
			for range 20 {
				burst(t, l, 300)
				loop.TrimLoops()
				burst(t, l, 20)
				onLoop(t, l, func() { l.HasSpare() })
				loop.TrimLoops()
				burst(t, l, 500)
			}
		})
	})
}

// withLoop calls f beside a loop that has nothing to do.
func withLoop(t *testing.T, cfg *loop.Config, f func(l *loop.Loop)) {
	t.Helper()
	loops, quit := make(chan *loop.Loop, 1), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- loop.Run(context.Background(), cfg, func(l *loop.Loop) error {
			loops <- l
			return l.Offload(func(context.Context) error { <-quit; return nil })
		})
	}()
	func() {
		defer close(quit)
		f(receive(t, "the loop", loops))
	}()
	if err := receive(t, "the end of Run", ended); err != nil {
		t.Error(err)
	}
}

// onLoop calls f in a task.
func onLoop(t *testing.T, l *loop.Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.Post(func() { defer close(done); f() }); err != nil {
		t.Fatal(err)
	}
	receive(t, "the end of a task", done)
}

// burst has n tasks at once, each with an op, a buffer and some stack, and ends them. It gives the most goroutines
// that there were.
func burst(t *testing.T, l *loop.Loop, n int) (most int) {
	t.Helper()
	onLoop(t, l, func() {
		var parked, tasks []*loop.Task
		for range n {
			tasks = append(tasks, l.Go(func() {
				o, b := l.Ops().New(op.Recv), l.Buffers().Plain.Take()
				l.Ops().Ext(o)
				grow(20)
				parked = append(parked, l.Task())
				l.Park(nil)
				l.Buffers().Plain.Put(b)
				l.Ops().Free(o)
			}))
		}
		for len(parked) < n {
			loop.Yield(l)
		}
		most = runtime.NumGoroutine()
		for _, p := range parked {
			l.Ready(p)
		}
		for _, task := range tasks {
			task.Wait()
		}
	})
	return most
}

// grow has the caller's stack grow.
//
//go:noinline
func grow(depth int) byte {
	var frame [256]byte
	if depth > 0 {
		frame[depth] = grow(depth - 1)
	}
	return frame[depth%7]
}

func stackAndHeap() uint64 {
	runtime.GC()
	runtime.GC() // stacks of coroutines that have ended go with the first that finds them
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse + m.HeapInuse
}
