//go:build linux

package ringo_test

import (
	"context"
	"io"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
)

// Signals, the profiler and the collector interrupt waits and switches; nothing
// comes of it.
func TestSignalStorm(t *testing.T) {
	const ticksLeast, signalsLeast, collectionsLeast = 100, 10, 2
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		if err := pprof.StartCPUProfile(io.Discard); err != nil {
			t.Skip("a profile is being taken of the tests: ", err)
		}
		defer pprof.StopCPUProfile()
		var over atomic.Bool
		var ticks, signals, collections atomic.Int64
		ended := make(chan struct{}, 2)
		go func() {
			for ; !over.Load(); signals.Add(1) {
				syscall.Kill(syscall.Getpid(), syscall.SIGURG)
				for range 100 {
					runtime.Gosched()
				}
			}
			ended <- struct{}{}
		}()
		go func() {
			for ; !over.Load(); collections.Add(1) {
				runtime.GC()
			}
			ended <- struct{}{}
		}()
		began := time.Now()
		storm := func() bool {
			return ticks.Load() >= ticksLeast && signals.Load() >= signalsLeast &&
				collections.Load() >= collectionsLeast
		}
		goesOn := func() bool { // for a while, and on a slow machine until it was a storm
			took := time.Since(began)
			return took < 300*time.Millisecond || !storm() && took < limit/2
		}
		err := run(t, cfg, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for i := range 50 {
				g.Go(func() error {
					for goesOn() {
						began, d := time.Now(), time.Duration(i)*37*time.Microsecond
						if err := l.Sleep(d); err != nil {
							return err
						}
						if time.Since(began) < d {
							t.Error("a short sleep")
						}
						ticks.Add(1)
						if i%10 == 0 {
							l.Loops()[1-l.Index()].Post(func() { ticks.Add(1) })
							iterator(func() { l.Sleep(0) })
						}
						if i%10 == 1 {
							if err := l.Offload(func(context.Context) error { return nil }); err != nil {
								return err
							}
						}
					}
					return nil
				})
			}
			return g.Wait()
		})
		over.Store(true)
		<-ended
		<-ended
		if err != nil {
			t.Error(err)
		}
		said := t.Logf
		if !storm() {
			said = t.Errorf
		}
		said("%d ticks under %d signals and %d collections", ticks.Load(), signals.Load(), collections.Load())
	})
}
