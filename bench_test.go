package ringo_test

import (
	"context"
	"fmt"
	"slices"
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

// From a goroutine to a task of a sleeping loop and back.
func BenchmarkPostRoundTrip(b *testing.B) {
	eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
		mustRun(b, cfg, func(l *ringo.Loop) {
			l.Offload(func(context.Context) error {
				ran := make(chan struct{}, 1)
				fn := func() { ran <- struct{}{} }
				for b.Loop() {
					l.Post(fn)
					<-ran
				}
				return nil
			})
		})
	})
}

// From a goroutine to a task of a loop that spins.
func BenchmarkPostRoundTripSpinning(b *testing.B) {
	eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
		cfg.Spin = time.Millisecond
		mustRun(b, cfg, func(l *ringo.Loop) {
			l.Offload(func(context.Context) error {
				var ran atomic.Int64
				fn := func() { ran.Add(1) }
				n := int64(0)
				for b.Loop() {
					l.Post(fn)
					for n++; ran.Load() < n; {
					}
				}
				return nil
			})
		})
	})
}

// From a task of one loop to a task of another, which sleeps, and back.
func BenchmarkLoopToLoop(b *testing.B) {
	eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
		cfg.Loops = 2
		beside(b, cfg, func(l *ringo.Loop) {
			other, fn := l.Loops()[1], func() {}
			for b.Loop() {
				other.Go(fn).Wait()
			}
		})
	})
}

// How late a loop wakes beside goroutines that are always busy: by its own timer,
// and by a post.
func BenchmarkWakeBesideBusy(b *testing.B) {
	for _, busy := range []int{0, 1, 3} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, cfg ringo.Config) {
				var over atomic.Bool
				for range busy {
					go func() {
						for !over.Load() {
							compute(time.Microsecond)
						}
					}()
				}
				defer over.Store(true)
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
