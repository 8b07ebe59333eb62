//go:build linux

package ringo_test

import (
	"context"
	"runtime"
	"testing"

	"ringo"
	"ringo/internal/race"
)

// Loops that a program keeps after their end don't keep their buffers, 4 MiB each.
func TestEndedLoopsAreSmall(t *testing.T) {
	if race.Enabled {
		t.Skip("under the race detector memory means nothing")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const runs = 8
		cfg.Loops, cfg.Buffers, cfg.BufferSize = 1, 256, 16384
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		var kept []*ringo.Loop
		for range runs {
			if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				kept = append(kept, l)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if after := heap(); after > before+runs<<20 {
			t.Errorf("%d loops that have ended keep %d KiB", runs, (after-before)>>10)
		}
		runtime.KeepAlive(kept)
	})
}
