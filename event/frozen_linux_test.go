//go:build linux

package event_test

import (
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/event"
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
			for _, want := range []string{"a callback of loop 0 has been parked for ", "Chan.Recv", "1 others wait",
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
