package ringo_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// An aggressor takes all that a loop gives it until stop is set. It counts what it
// does.
type aggressor struct {
	name string
	// ready is how many turns' worth of a task, one Budget-th of a turn each, may
	// be ready at a time: one for a task that parks, eight for one that makes 128
	// calls which need not wait, because a turn has 16 of these for each task.
	ready int
	run   func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64)
}

const crowd = 100

// again runs f over and over, each time by way of next.
func again(stop *atomic.Bool, did *atomic.Int64, next func(func())) {
	var f func()
	f = func() {
		if did.Add(1); !stop.Load() {
			next(f)
		}
	}
	next(f)
}

var aggressors = []aggressor{
	{"tasks that sleep no time", crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		for range crowd {
			l.Go(func() {
				for ; !stop.Load(); did.Add(1) {
					l.Sleep(0)
				}
			})
		}
	}},
	{"tasks that start the next", crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		for range crowd {
			again(stop, did, func(f func()) { l.Go(f) })
		}
	}},
	{"tasks that join one that has ended", 8 * crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		ended := l.Go(func() {})
		for range crowd {
			l.Go(func() {
				for ; !stop.Load(); did.Add(1) {
					ended.Wait()
				}
			})
		}
	}},
	{"posts that post the next", crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		for range crowd {
			again(stop, did, func(f func()) { l.Post(f) })
		}
	}},
	{"posts round the loops", crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		other := l.Loops()[1]
		for range crowd {
			again(stop, did, func(f func()) { other.Post(func() { l.Post(f) }) })
		}
	}},
	{"timers that are due again", crowd, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		for range crowd {
			again(stop, did, func(f func()) { l.AfterFunc(-time.Hour, f) })
		}
	}},
	{"one timer that is reset when it fires", 1, func(l *ringo.Loop, stop *atomic.Bool, did *atomic.Int64) {
		var timer *ringo.Timer
		timer = l.AfterFunc(time.Hour, func() {
			if did.Add(1); !stop.Load() {
				timer.Reset(0)
			}
		})
		timer.Reset(0)
	}},
}

// turns is the number of the loop's present turn.
func turns(l *ringo.Loop) uint64 { return l.Stats().Turns }

// While an aggressor does its worst, a task that becomes ready is resumed within
// the turns that it takes to resume once all who were ready before.
func TestNobodyStarves(t *testing.T) {
	const budget = 16
	for _, a := range aggressors {
		t.Run(a.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Budget, cfg.Loops = budget, 2
				beside(t, cfg, func(l *ringo.Loop) {
					var stop atomic.Bool
					var did atomic.Int64
					defer stop.Store(true)
					a.run(l, &stop, &did)
					once := uint64(a.ready*4/3/budget + 2)
					within := func(what string, want uint64, wait func()) {
						before := turns(l)
						wait()
						if n := turns(l) - before; n > want {
							t.Errorf("%s took %d turns, want %d at most", what, n, want)
						}
					}
					for did.Load() < 4_000 {
						within("a task's start and its join", 2*once, func() { l.Go(func() {}).Wait() })
						// First its timer, behind those that were due before it.
						within("a sleep", 2*once, func() { l.Sleep(0) })
						fired := make([]bool, 1)
						within("a timer", 4*once, func() {
							l.AfterFunc(0, func() { fired[0] = true })
							for !fired[0] {
								l.Go(func() {}).Wait()
							}
						})
						outside := 0
						l.Offload(func(context.Context) error { return l.Go(func() { outside++ }).Wait() })
						if outside != 1 {
							t.Error("a task from outside did not run")
						}
					}
				})
			})
		})
	}
}

// Goroutines that post as fast as they can leave a mountain of mail. What exists
// already goes on, posts of others get in, and the Run ends.
func TestFloodOfPosts(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const budget, mountain = 16, 5_000
		cfg.Budget = budget
		var stop atomic.Bool
		var sent, ran atomic.Int64
		var senders sync.WaitGroup
		mustRun(t, cfg, func(l *ringo.Loop) {
			post := func() { ran.Add(1) }
			for range 2 {
				senders.Go(func() {
					for !stop.Load() {
						if sent.Load()-ran.Load() < mountain && l.Post(post) == nil {
							sent.Add(1)
						}
					}
				})
			}
			for ran.Load() < 5*mountain {
				before := turns(l)
				l.Go(func() {}).Wait()
				if n := turns(l) - before; n > 6 {
					t.Errorf("a task's start and its join took %d turns", n)
				}
				l.Offload(func(context.Context) error { return nil })
			}
			got := 0
			l.Offload(func(context.Context) error { return l.Go(func() { got++ }).Wait() })
			equal(t, "tasks of another sender", got, 1)
			stop.Store(true)
		})
		stop.Store(true)
		senders.Wait()
		equal(t, "posts that ran, of those that were accepted", ran.Load(), sent.Load())
	})
}

// A hundred thousand timers that are due at once take their turns, and the rest of
// the loop its own between them.
func TestStormOfTimers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const storm = 100_000
		mustRun(t, cfg, func(l *ringo.Loop) {
			budget := uint64(256) // the default
			fired := 0
			for range storm {
				l.AfterFunc(-time.Second, func() { fired++ })
			}
			last := l.AfterFunc(0, func() {})
			began := turns(l)
			for fired < storm {
				before := turns(l)
				was := fired
				l.Go(func() {}).Wait()
				if n := turns(l) - before; n > 4 {
					t.Errorf("a task's start and its join took %d turns", n)
				}
				if n := fired - was; n > 4*int(budget) {
					t.Errorf("%d timers fired meanwhile", n)
				}
			}
			if n, want := turns(l)-began, storm/budget+4; n > want {
				t.Errorf("all timers took %d turns, want %d at most", n, want)
			}
			l.Sleep(0)
			if last.Stop() {
				t.Error("the last one has not fired")
			}
		})
	})
}

// A hundred thousand tasks at once, as a Group: each runs once before the starter
// is resumed a second time, in as many turns as the budget makes of them.
func TestStormOfTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const storm = 100_000
		mustRun(t, cfg, func(l *ringo.Loop) {
			g := ringo.NewGroup(l)
			ran := 0
			for range storm {
				g.Go(func() error { ran++; return nil })
			}
			began := turns(l)
			l.Go(func() {}).Wait()
			if n, want := turns(l)-began, uint64(storm/256+4); n > want {
				t.Errorf("a task behind them took %d turns, want %d at most", n, want)
			}
			if err := g.Wait(); err != nil || ran != storm {
				t.Errorf("%v, %d of %d ran", err, ran, storm)
			}
		})
	})
}
