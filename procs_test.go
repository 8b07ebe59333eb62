package ringo_test

import (
	"context"
	"runtime"
	"testing"

	"ringo"
)

// GOMAXPROCS is raised by the loops while they run, and put back.
func TestGOMAXPROCS(t *testing.T) {
	base := runtime.GOMAXPROCS(0)
	restore := func() { runtime.GOMAXPROCS(base) }
	// held is a Run of some loops that goes on until it is told to end.
	held := func(t *testing.T, loops int) (end func()) {
		cfg := anyDriver(t)
		cfg.Loops = loops
		begun, over := make(chan struct{}, loops), make(chan struct{})
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			begun <- struct{}{}
			return l.Offload(func(context.Context) error { <-over; return nil })
		})
		for range loops {
			receive(t, "a loop", begun)
		}
		return func() {
			close(over)
			if err := receive(t, "the end of Run", ended); err != nil {
				t.Error(err)
			}
		}
	}
	now := func(t *testing.T, when string, want int) {
		t.Helper()
		equal(t, "GOMAXPROCS "+when, runtime.GOMAXPROCS(0), want)
	}
	t.Run("one Run", func(t *testing.T) {
		defer restore()
		end := held(t, 3)
		now(t, "beside 3 loops", base+3)
		end()
		now(t, "after them", base)
	})
	t.Run("nested Runs", func(t *testing.T) {
		defer restore()
		outer := held(t, 1)
		inner := held(t, 2)
		now(t, "beside 1 + 2 loops", base+3)
		inner()
		now(t, "beside 1 loop", base+1)
		outer()
		now(t, "after them", base)
	})
	t.Run("overlapping Runs", func(t *testing.T) {
		defer restore()
		first, second := held(t, 1), held(t, 2)
		first()
		now(t, "beside the second's 2 loops", base+2)
		third := held(t, 4)
		second()
		now(t, "beside the third's 4 loops", base+4)
		third()
		now(t, "after them", base)
	})
	t.Run("the program's own change stands", func(t *testing.T) {
		defer restore()
		first := held(t, 2)
		runtime.GOMAXPROCS(base + 11)
		second := held(t, 1)
		now(t, "beside 1 loop that came later", base+12)
		first()
		now(t, "when one from before has ended", base+12)
		second()
		now(t, "after them", base+11)
		third := held(t, 1)
		runtime.GOMAXPROCS(base + 5)
		third()
		now(t, "when nobody came later", base+5)
	})
	t.Run("default number of loops", func(t *testing.T) {
		defer restore()
		defer held(t, 2)()
		cfg := anyDriver(t)
		cfg.Loops = 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			equal(t, "loops beside another Run", len(l.Loops()), base)
		})
	})
}
