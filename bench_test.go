package ringo_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/driver/open"
)

// eachDriverB is eachDriver for benchmarks.
func eachDriverB(b *testing.B, f func(b *testing.B, cfg ringo.Config)) {
	for _, name := range open.Names()[1:] {
		if only := forced(); only != "" && only != name {
			continue
		}
		b.Run("driver="+name, func(b *testing.B) {
			if err := usable()[name]; err != nil {
				b.Skip(err)
			}
			b.ReportAllocs()
			f(b, small(name))
		})
	}
}

// How late a loop wakes beside goroutines that are always busy: by its own timer,
// and by a post.
func BenchmarkWakeBesideBusy(b *testing.B) {
	for _, busy := range []int{0, 1, 3} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				defer keepBusy(busy)()
				var late []time.Duration
				mustRun(b, cfg, func(l *ringo.Loop) {
					for b.Loop() {
						began := time.Now()
						l.Sleep(time.Millisecond)
						late = append(late, time.Since(began)-time.Millisecond)
					}
				})
				slices.Sort(late)
				for _, q := range []int{50, 90, 99} {
					b.ReportMetric(float64(late[(len(late)-1)*q/100])/1e3, fmt.Sprintf("p%d-late-µs", q))
				}
			})
		})
	}
}

// BenchmarkNeedYield is a call of a task that computes. What it yields for is timed, too.
func BenchmarkNeedYield(b *testing.B) {
	eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
		err := ringo.Run(b.Context(), &cfg, func(l *ringo.Loop) error {
			for l.Index() == 0 && b.Loop() {
				if l.NeedYield() {
					l.Yield()
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

// How late sleeps of 3 ms end beside goroutines that compute, where these share the loop's CPU and where they are kept
// from it. Needs some thousands of rounds for what it says of p99.9: -benchtime 5000x.
func BenchmarkTimersBesideBusy(b *testing.B) {
	for _, c := range []struct {
		name    string
		busy    int
		place   ringo.Placement
		reserve int
	}{
		{"alone", 0, ringo.Anywhere, 0},
		{"alone, reserved", 0, ringo.PerCPU, 1},
		{"beside 3", 3, ringo.Anywhere, 0},
		{"beside 3, reserved", 3, ringo.PerCPU, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			if runtime.NumCPU() <= c.reserve {
				b.Skip("there is one CPU")
			}
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				cfg.Place, cfg.Reserve = c.place, c.reserve
				defer keepBusy(c.busy)()
				const nap = 3 * time.Millisecond
				late := make([]time.Duration, 0, 1<<14)
				mustRun(b, cfg, func(l *ringo.Loop) {
					for b.Loop() {
						began := time.Now()
						l.Sleep(nap)
						late = append(late, time.Since(began)-nap)
					}
				})
				slices.Sort(late)
				for name, q := range map[string]int{"p50": 500, "p90": 900, "p99": 990, "p99.9": 999} {
					b.ReportMetric(float64(late[(len(late)-1)*q/1000])/1e3, name+"-late-µs")
				}
			})
		})
	}
}

// keepBusy has goroutines compute until stop.
func keepBusy(n int) (stop func()) {
	var over atomic.Bool
	for range n {
		go func() {
			for !over.Load() {
				compute(time.Microsecond)
			}
		}()
	}
	return func() { over.Store(true) }
}

// What tasks of one loop hand to each other: a Send and a Recv. Without room each value
// costs a park; with room one task parks for many values.
func BenchmarkChan(b *testing.B) {
	for _, capacity := range []int{0, 1, 64} {
		b.Run(fmt.Sprintf("cap=%d", capacity), func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				mustRun(b, cfg, func(l *ringo.Loop) {
					c := ringo.NewChan[int](capacity)
					l.Post(func() { drainChan(c) })
					for b.Loop() {
						c.Send(1)
					}
					c.Close()
				})
			})
		})
	}
}

func drainChan(c *ringo.Chan[int]) {
	for {
		if _, err := c.Recv(); err != nil {
			return
		}
	}
}

// From one goroutine to another and back, without a loop: an op is two Sends and two Recvs, of which two wait.
func BenchmarkChanGoroutines(b *testing.B) {
	b.ReportAllocs()
	there, back := ringo.NewChan[int](0), ringo.NewChan[int](0)
	go func() {
		for {
			v, err := there.Recv()
			if err != nil {
				back.Close()
				return
			}
			back.Send(v)
		}
	}()
	for b.Loop() {
		there.Send(1)
		back.Recv()
	}
	there.Close()
	back.Recv()
}

// From one loop to another that is busy with nothing but receiving: an op is a Send and
// a Recv.
func BenchmarkChanAcross(b *testing.B) {
	for _, capacity := range []int{0, 1, 64} {
		b.Run(fmt.Sprintf("cap=%d", capacity), func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				cfg.Loops = 2
				beside(b, cfg, func(l *ringo.Loop) {
					c := ringo.NewChan[int](capacity)
					received := l.Loops()[1].Go(func() { drainChan(c) })
					for b.Loop() {
						c.Send(1)
					}
					c.Close()
					received.Wait()
				})
			})
		})
	}
}

// Many pairs of tasks, each with a channel of its own between two loops, and no room in
// it: what a hand-over costs when both loops have others to do meanwhile.
func BenchmarkChanAcrossPairs(b *testing.B) {
	eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
		cfg.Loops = 2
		beside(b, cfg, func(l *ringo.Loop) {
			const pairs = 64
			var senders, receivers []*ringo.Task
			left := b.N
			for range pairs {
				c := ringo.NewChan[int](0)
				receivers = append(receivers, l.Loops()[1].Go(func() { drainChan(c) }))
				senders = append(senders, l.Go(func() {
					for ; left > 0; left-- {
						c.Send(1)
					}
					c.Close()
				}))
			}
			b.ResetTimer()
			for _, t := range senders {
				t.Wait()
			}
			for _, t := range receivers {
				t.Wait()
			}
		})
	})
}

// A lock that is free, and one that two tasks of a loop hand to each other.
func BenchmarkMutex(b *testing.B) {
	cfg := anyDriver(b)
	b.Run("free", func(b *testing.B) {
		mustRun(b, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			for b.Loop() {
				m.Lock()
				m.Unlock()
			}
		})
	})
	b.Run("contended", func(b *testing.B) {
		mustRun(b, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			over := false
			m.Lock()
			other := l.Go(func() {
				for !over {
					m.Lock()
					l.Sleep(0)
					m.Unlock()
				}
			})
			for b.Loop() {
				m.Unlock()
				m.Lock()
			}
			over = true
			m.Unlock()
			other.Wait()
		})
	})
}

// A lock that is free, for writing and for reading, and beside it package sync's.
func BenchmarkRWMutex(b *testing.B) {
	cfg := anyDriver(b)
	var m ringo.RWMutex
	var std sync.RWMutex
	for name, locks := range map[string]sync.Locker{"write": &m, "read": m.RLocker(), "write/sync": &std,
		"read/sync": std.RLocker()} {
		b.Run(name, func(b *testing.B) {
			mustRun(b, cfg, func(l *ringo.Loop) {
				for b.Loop() {
					locks.Lock()
					locks.Unlock()
				}
			})
		})
	}
}

// A Select of two cases of which one is true, and one that waits.
func BenchmarkSelect(b *testing.B) {
	cfg := anyDriver(b)
	b.Run("ready", func(b *testing.B) {
		b.ReportAllocs()
		mustRun(b, cfg, func(l *ringo.Loop) {
			c, d, v := ringo.NewChan[int](1), ringo.NewChan[int](1), 0
			for b.Loop() {
				c.Send(1)
				ringo.Select(ringo.RecvInto(d, &v), ringo.RecvInto(c, &v))
			}
		})
	})
	b.Run("waiting", func(b *testing.B) {
		b.ReportAllocs()
		mustRun(b, cfg, func(l *ringo.Loop) {
			c, d, v := ringo.NewChan[int](0), ringo.NewChan[int](0), 0
			l.Post(func() {
				for c.Send(1) == nil {
				}
			})
			for b.Loop() {
				ringo.Select(ringo.RecvInto(d, &v), ringo.RecvInto(c, &v))
			}
			c.Close()
		})
	})
}

// A block with a time limit that does not pass.
func BenchmarkWithTimeout(b *testing.B) {
	b.ReportAllocs()
	mustRun(b, anyDriver(b), func(l *ringo.Loop) {
		fn := func() error { return nil }
		for b.Loop() {
			l.WithTimeout(time.Minute, fn)
		}
	})
}

// question is what a task asks of another loop, and where the answer goes.
type question struct {
	key    int
	answer *ringo.Chan[int]
}

// hops are the ways to another loop and back. Each gives what one task calls over and over, on loop l.
var hops = []struct {
	way string
	new func(l, other *ringo.Loop, asked *ringo.Chan[question]) func(key int) int
}{
	{"go", func(_, other *ringo.Loop, _ *ringo.Chan[question]) func(int) int {
		key, value := 0, 0
		fn := func() { value = key + 1 }
		return func(k int) int {
			key = k
			other.Go(fn).Wait()
			return value
		}
	}},
	{"post", func(_, other *ringo.Loop, _ *ringo.Chan[question]) func(int) int {
		key, answer := 0, ringo.NewChan[int](1)
		fn := func() { answer.Send(key + 1) }
		return func(k int) int {
			key = k
			other.Post(fn)
			value, _ := answer.Recv()
			return value
		}
	}},
	{"chan", func(_, _ *ringo.Loop, asked *ringo.Chan[question]) func(int) int {
		answer := ringo.NewChan[int](1)
		return func(k int) int {
			asked.Send(question{k, answer})
			value, _ := answer.Recv()
			return value
		}
	}},
}

// answer is the task of the loop that is asked by channel.
func answer(asked *ringo.Chan[question]) {
	for {
		q, err := asked.Recv()
		if err != nil {
			return
		}
		q.answer.Send(q.key + 1)
	}
}

// BenchmarkHop is a task of one loop that asks another loop and has the answer: alone, and one of many, when a wake
// serves many of them.
func BenchmarkHop(b *testing.B) {
	for _, hop := range hops {
		for _, tasks := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("way=%s/tasks=%d", hop.way, tasks), func(b *testing.B) {
				eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
					cfg.Loops = 2
					beside(b, cfg, func(l *ringo.Loop) {
						other := l.Loops()[1]
						asked := ringo.NewChan[question](tasks)
						defer asked.Close()
						other.Post(func() { answer(asked) })
						left := b.N
						before := wakesOf(l)
						b.ResetTimer()
						each(l, tasks, func() {
							ask := hop.new(l, other, asked)
							for left > 0 {
								left--
								if got := ask(left); got != left+1 && tasks == 1 {
									b.Errorf("asked with %d, answered %d", left, got)
								}
							}
						})
						b.StopTimer()
						b.ReportMetric((wakesOf(l)-before)/float64(b.N), "wakes/op")
					})
				})
			})
		}
	}
}

// each runs fn in so many tasks, and waits for them.
func each(l *ringo.Loop, tasks int, fn func()) {
	g := ringo.NewGroup(l)
	for range tasks {
		g.Go(func() error { fn(); return nil })
	}
	g.Wait()
}

// wakesOf is how many wakes took a system call, of all loops.
func wakesOf(l *ringo.Loop) (n float64) {
	for _, l := range l.Loops() {
		n += float64(l.Stats().Driver.WakesSent)
	}
	return n
}

// BenchmarkHopAround is tasks of all loops that each ask one loop after the other, as those of a store do whose keys
// are spread over the loops. An op is a hop and back. Run it under taskset for more loops than processors.
func BenchmarkHopAround(b *testing.B) {
	const tasks = 16 // of a loop
	for _, loops := range []int{2, 8} {
		b.Run(fmt.Sprintf("loops=%d", loops), func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				cfg.Loops = loops
				beside(b, cfg, func(l *ringo.Loop) {
					each := func(l *ringo.Loop, hops int) *ringo.Task {
						return l.Go(func() {
							g := ringo.NewGroup(l)
							for i := range tasks {
								g.Go(func() error { hopAround(l, i, hops); return nil })
							}
							g.Wait()
						})
					}
					hops := b.N/(loops*tasks) + 1
					before := wakesOf(l)
					b.ResetTimer()
					var all []*ringo.Task
					for _, l := range l.Loops() {
						all = append(all, each(l, hops))
					}
					for _, t := range all {
						t.Wait()
					}
					b.StopTimer()
					b.ReportMetric((wakesOf(l)-before)/float64(hops*loops*tasks), "wakes/op")
				})
			})
		})
	}
}

// hopAround is a task of l that asks the others in turn.
func hopAround(l *ringo.Loop, from, hops int) {
	loops := l.Loops()
	answer := ringo.NewChan[int](1)
	key := 0
	fn := func() { answer.Send(key + 1) }
	for i := range hops {
		other := loops[(l.Index()+1+(from+i)%(len(loops)-1))%len(loops)]
		key = i
		other.Post(fn)
		answer.Recv()
	}
}

// BenchmarkHopSpin is one task that asks another loop, where both look for work before they sleep, or have a CPU each.
func BenchmarkHopSpin(b *testing.B) {
	for _, spin := range []time.Duration{0, 50 * time.Microsecond} {
		for _, place := range []ringo.Placement{ringo.Anywhere, ringo.PerCPU} {
			b.Run(fmt.Sprintf("spin=%v/place=%v", spin, place), func(b *testing.B) {
				eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
					if place == ringo.PerCPU && runtime.NumCPU() < 2 {
						b.Skip("there is one CPU")
					}
					cfg.Loops, cfg.Spin, cfg.Place = 2, spin, place
					beside(b, cfg, func(l *ringo.Loop) {
						before := wakesOf(l)
						b.ResetTimer()
						hopAround(l, 0, b.N)
						b.StopTimer()
						b.ReportMetric((wakesOf(l)-before)/float64(b.N), "wakes/op")
					})
				})
			})
		}
	}
}
