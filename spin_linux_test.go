//go:build linux

package ringo_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/testmain"
)

// cpuTime is the processor time that this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// An idle loop takes no turns and no time, whether it may spin or not.
func TestIdleLoopSleeps(t *testing.T) {
	testmain.NeedLong(t, "6 s of nothing to do on each driver")
	for _, spin := range []time.Duration{0, 100 * time.Microsecond, 10 * time.Millisecond} {
		t.Run(spin.String(), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				const idle = 400 * time.Millisecond
				cfg.Spin, cfg.Loops = spin, 2
				begun, over := make(chan *ringo.Loop, 2), make(chan struct{})
				ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
					begun <- l
					return l.Offload(func(context.Context) error { <-over; return nil })
				})
				loops := []*ringo.Loop{receive(t, "a loop", begun), receive(t, "a loop", begun)}
				<-time.After(2 * spin) // the spin that ends in sleep
				var turns [2]uint64
				for i, l := range loops {
					turns[i] = l.Stats().Turns
				}
				<-time.After(2 * spin)
				before := cpuTime(t)
				<-time.After(idle)
				used := cpuTime(t) - before
				for i, l := range loops {
					// An answer takes a turn, and its wake may take one more.
					if n := l.Stats().Turns - turns[i]; n > 3 {
						t.Errorf("loop %d took %d turns while idle", i, n)
					}
				}
				if limit := idle / 10; used > limit {
					t.Errorf("%v of processor time in %v of nothing to do, want less than %v", used, idle, limit)
				}
				close(over)
				if err := receive(t, "the end of Run", ended); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Spinning loses nothing: timers, posts and other loops' wakes all end it.
func TestSpin(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Spin = 2, time.Second
		began := time.Now()
		beside(t, cfg, func(l *ringo.Loop) {
			for range 20 {
				if err := l.Sleep(time.Millisecond); err != nil {
					t.Error(err)
				}
				l.Loops()[1].Go(func() {}).Wait()
				l.Offload(func(context.Context) error { return nil })
			}
		})
		if took := time.Since(began); took > 10*cfg.Spin { // of more than forty waits
			t.Errorf("took %v: a wake waits for the end of a spin", took)
		}
	})
}
