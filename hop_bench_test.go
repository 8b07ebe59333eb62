package ringo_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"ringo"
)

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
		for _, pin := range []bool{false, true} {
			b.Run(fmt.Sprintf("spin=%v/pin=%v", spin, pin), func(b *testing.B) {
				eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
					if pin && runtime.NumCPU() < 2 {
						b.Skip("there is one CPU")
					}
					cfg.Loops, cfg.Spin, cfg.Pin = 2, spin, pin
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
