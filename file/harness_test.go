package file_test

import (
	"flag"
	"testing"
	"time"

	"ringo"
	"ringo/internal/socktest"
)

// What package sock's tests use, too.
const patience = socktest.Patience

var (
	eachDriver = socktest.EachDriver
	available  = socktest.Available
	onLoop     = socktest.OnLoop
	within     = socktest.Within
	pause      = socktest.Pause
	inIterator = socktest.InIterator
)

var seedFlag = flag.Uint64("seed", 1, "the seed of random programs; 0: by the clock")

// seedOf is the seed of a test's random programs.
func seedOf(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	return seed
}

// eachCaller runs f as an ordinary goroutine, and as a task of each driver that this
// kernel has, or of the one that the environment forces. l is nil for the goroutine.
func eachCaller(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	t.Run("goroutine", func(t *testing.T) {
		within(patience, t.Name(), func() { f(t, nil) })
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) { f(t, l) })
	})
}

// begin runs f beside the caller, as a caller of its sort, and gives a join.
func begin(l *ringo.Loop, f func()) (join func()) {
	if l != nil {
		task := l.Go(f)
		return func() { task.Wait() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}
