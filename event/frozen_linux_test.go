//go:build linux

package event_test

import (
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/census"
	"ringo/internal/loop"
)

// A callback that parks freezes all others of its loop, which is told as a stall, with the place and what it waits
// for, once they wait for it: those that were to be called already, and those that come then.
func TestParkedCallbackIsAStall(t *testing.T) {
	for _, early := range []bool{true, false} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			told, gate := make(chan string, 100), ringo.NewChan[bool](0)
			cfg.StallLimit = time.Millisecond
			cfg.OnStall = func(l *ringo.Loop, took time.Duration, stack []byte) {
				if !strings.Contains(string(stack), "a callback ") {
					return // the machine may be slow
				}
				if took < cfg.StallLimit {
					t.Errorf("told after %v", took)
				}
				told <- string(stack)
				l.Post(func() { gate.Close() })
			}
			calls, parking := 0, false
			var stalls uint64
			onLoop(t, cfg, func(l *event.Loop) {
				l.AfterFunc(0, func() { parking = true; parkIn(gate) })
				if early {
					l.AfterFunc(0, func() { calls++ })
				} else {
					l.Ringo().Go(func() {
						for !parking {
							l.Ringo().Yield()
						}
						l.AfterFunc(0, func() { calls++ })
					})
				}
				l.Ringo().Go(func() { gate.Recv(); stalls = l.Ringo().Stats().Stalls })
			})
			if calls != 1 || stalls == 0 || len(told) == 0 {
				t.Fatalf("%d calls, %d stalls, %d told", calls, stalls, len(told))
			}
			text := <-told
			for _, want := range []string{"a callback of loop 0 is parked in ", "Chan.Recv", "1 others wait",
				"event_test.parkIn"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %q", want, text)
				}
			}
		})
	}
}

//go:noinline
func parkIn(gate *ringo.Chan[bool]) { gate.Recv() }

// Callbacks that park for a little again and again freeze the others for as long as that goes on: one callback, one
// after the other, or a hook. It is told once, by the time since their turn began.
func TestShortParksAreAStall(t *testing.T) {
	const parks, each, limit = 40, 30 * time.Millisecond, 500 * time.Millisecond
	for name, begin := range map[string]func(l *event.Loop, park func()){
		"one": func(l *event.Loop, park func()) {
			l.AfterFunc(0, func() {
				for range parks {
					park()
				}
			})
		},
		"many": func(l *event.Loop, park func()) {
			for range parks {
				l.AfterFunc(0, park)
			}
		},
		"hook": func(l *event.Loop, park func()) {
			var h *event.Hook
			h = l.Check(func() {
				h.Stop()
				for range parks {
					park()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var clock stillClock
				told, took := make(chan string, parks), make(chan time.Duration, parks)
				change := func(c *loop.Config) {
					c.Clock, c.Stall = clock.now, limit
					c.OnStall = func(_ *loop.Loop, d time.Duration, stack []byte) {
						told <- string(stack)
						took <- d
					}
				}
				onChanged(t, cfg, &watcher{}, change, func(l *event.Loop) {
					gate, in := ringo.NewChan[bool](0), (*loop.Loop)(l.Ringo())
					parked := 0
					begin(l, func() { parked++; parkIn(gate) })
					l.AfterFunc(0, func() {})
					in.Go(func() {
						for n := 1; n <= parks; n++ {
							for parked < n {
								in.YieldTurn()
							}
							clock.jump(each)
							in.YieldTurn()
							gate.Send(true)
						}
					}).Wait()
					if n := census.StatsOf(in).Stalls; n != 1 {
						t.Errorf("%d stalls", n)
					}
				})
				if len(told) != 1 {
					t.Fatalf("told %d times", len(told))
				}
				if d, text := <-took, <-told; d < limit || d >= limit+each || !strings.Contains(text, "Chan.Recv") {
					t.Errorf("told after %v: %q", d, text)
				}
			})
		})
	}
}
