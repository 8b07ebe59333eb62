package ringo_test

import (
	"context"
	"ringo/stats"
	"sync"
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
		var stats stats.Loop
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

// What many tasks ask another loop at a time, and its answers, share their wakes.
func TestHopsShareWakes(t *testing.T) {
	const tasks, rounds = 256, 20
	for _, hop := range hops {
		t.Run(hop.way, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Loops = 2
				beside(t, cfg, func(l *ringo.Loop) {
					other := l.Loops()[1]
					asked := ringo.NewChan[question](tasks)
					defer asked.Close()
					other.Post(func() { answer(asked) })
					took := func() float64 {
						before := wakesOf(l)
						each(l, tasks, func() {
							ask := hop.new(l, other, asked)
							for i := range rounds {
								if got := ask(i); got != i+1 {
									t.Errorf("asked with %d, answered %d", i, got)
								}
							}
						})
						return wakesOf(l) - before
					}
					// On a machine that is busy with others the loops may take turns for a while, a hop each.
					fewest := took()
					for again := 0; fewest > tasks*rounds/4 && again < 9; again++ {
						fewest = min(fewest, took())
					}
					if fewest > tasks*rounds/4 {
						t.Errorf("%d hops and back took %v wakes", tasks*rounds, fewest)
					}
				})
			})
		})
	}
}
