package ringo_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// greedy are ways of a task to be always ready. Each goes on until stop.
var greedy = []struct {
	name string
	run  func(l *ringo.Loop, stop *bool)
}{
	{"Sleep(0)", func(l *ringo.Loop, stop *bool) {
		for !*stop {
			l.Sleep(0)
		}
	}},
	{"Post of itself", func(l *ringo.Loop, stop *bool) {
		var again func()
		again = func() {
			if !*stop {
				l.Post(again)
			}
		}
		again()
	}},
	{"Go of itself", func(l *ringo.Loop, stop *bool) {
		var again func()
		again = func() {
			if !*stop {
				l.Go(again)
			}
		}
		again()
	}},
	{"AfterFunc of itself", func(l *ringo.Loop, stop *bool) {
		var again func()
		again = func() {
			if !*stop {
				l.AfterFunc(-time.Hour, again)
			}
		}
		for range 10 { // more that are due than a turn's budget
			again()
		}
	}},
	{"two that make each other ready", func(l *ringo.Loop, stop *bool) {
		var pass func() *ringo.Task
		pass = func() *ringo.Task {
			return l.Go(func() {
				if !*stop {
					pass()
				}
			})
		}
		pass()
		pass()
	}},
}

// Tasks that are always ready leave room for timers, for what comes from outside,
// and for each other.
func TestFairness(t *testing.T) {
	for _, g := range greedy {
		t.Run(g.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Budget = 16
				mustRun(t, cfg, func(l *ringo.Loop) {
					stop := false
					defer func() { stop = true }()
					for range 100 { // many times a turn's budget
						l.Go(func() { g.run(l, &stop) })
					}
					fired := 0
					for range 100 {
						l.AfterFunc(time.Millisecond, func() { fired++ })
					}
					slept := 0
					l.Go(func() {
						for range 20 {
							l.Sleep(50 * time.Microsecond)
							slept++
						}
					})
					var posted atomic.Int64
					err := l.Offload(func(context.Context) error {
						for range 20 {
							done := make(chan struct{})
							l.Post(func() { posted.Add(1); close(done) })
							receive(t, "a post from outside", done)
							if err := l.Go(func() { posted.Add(1) }).Wait(); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil || posted.Load() != 40 {
						t.Errorf("from outside: %v, %d of 40", err, posted.Load())
					}
					sleepUntil(t, l, "the timers and the sleeper", func() bool { return fired == 100 && slept == 20 })
				})
			})
		})
	}
}

// The ready take turns: nobody is resumed twice while another waits.
func TestRoundRobin(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, budget := range []int{1, 3, 256} {
			cfg.Budget = budget
			const tasks, rounds = 10, 20
			var counts [tasks]int
			mustRun(t, cfg, func(l *ringo.Loop) {
				begin := false
				for i := range counts {
					l.Go(func() {
						sleepUntil(t, l, "the start", func() bool { return begin })
						for range rounds {
							counts[i]++
							for j := range counts {
								if counts[i] > counts[j]+2 {
									t.Errorf("budget %d: task %d is at %d, task %d at %d", budget, i,
										counts[i], j, counts[j])
								}
							}
							l.Go(func() {}).Wait() // ready again in the order of asking
						}
					})
				}
				begin = true
			})
		}
	})
}

// Ten thousand tasks at once are nothing special.
func TestTenThousandTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const many = 10_000
		started, ended := 0, 0
		var stats ringo.Stats
		mustRun(t, cfg, func(l *ringo.Loop) {
			for round := range 2 {
				started, ended = 0, 0
				all := make([]*ringo.Task, many)
				for i := range all {
					all[i] = l.Go(func() {
						started++
						l.Sleep(time.Duration(i%10) * time.Millisecond)
						ended++
					})
				}
				for _, task := range all {
					task.Wait()
				}
				if started != many || ended != many {
					t.Errorf("round %d: %d started, %d ended", round, started, ended)
				}
			}
			stats = l.Stats()
		})
		// Coroutines are used again: the second round made none.
		if stats.Workers > many+1 {
			t.Errorf("%d coroutines for %d tasks at once", stats.Workers, many)
		}
	})
}
