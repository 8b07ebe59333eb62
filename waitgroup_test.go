package ringo_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"ringo"
)

// Tasks of two loops and goroutines start each other, and all of them are waited for, by each sort.
func TestWaitGroup(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		beside(t, cfg, func(l *ringo.Loop) {
			for who, run := range everybody {
				var g ringo.WaitGroup
				var ran, on atomic.Int32
				g.Wait() // for nobody
				_, started := run(l, func(mine *ringo.Loop) {
					for i := range 50 {
						g.Go(func() {
							if mine != nil && mine.Sleep(0) == nil {
								on.Add(1) // it is a task of the same loop
							}
							g.Go(func() { ran.Add(1) })
							ran.Add(1)
							if i == 7 {
								runtime.Goexit()
							}
						})
					}
					if mine != nil {
						g.Go(func() { panic("as if it had returned") })
					}
					g.Wait()
					equal(t, who+": ran", ran.Load(), 100)
					if mine != nil {
						equal(t, who+": tasks of the loop", on.Load(), 50)
					}
				})
				started()
				g.Wait()
				equal(t, who+": waiting", g.Waiting(), 0)
				g.Add(2) // it is used again
				var over atomic.Bool
				_, waits := run(l, func(*ringo.Loop) { g.Wait(); over.Store(true) })
				sleepUntil(t, l, "the one who waits", func() bool { return g.Waiting() == 1 })
				g.Done()
				equal(t, who+": over before the last", over.Load(), false)
				g.Done()
				waits()
			}
		})
	})
}

func TestWaitGroupMisuse(t *testing.T) {
	var g ringo.WaitGroup
	equal(t, "Done", panics(g.Done), any("ringo: WaitGroup.Add(-1) with a counter of 0"))
	g.Add(2)
	equal(t, "Add", panics(func() { g.Add(-3) }), any("ringo: WaitGroup.Add(-3) with a counter of 2"))
	g.Add(-2)
	g.Wait()
}
