package sim

import (
	"testing"
	"time"
)

// ShortWaits has Wait give up sooner beside what ticks, for a test.
func ShortWaits(t *testing.T, busy time.Duration, events uint64) {
	d, n := waitBusy, waitEvents
	waitBusy, waitEvents = busy, events
	t.Cleanup(func() { waitBusy, waitEvents = d, n })
}

// Stands asks the watchdog of a world, in place of its timer, whether what happens has lasted since it was asked.
func Stands(w *World) bool {
	w.watch.timer.Stop()
	_, still := w.watch.stands()
	return still
}

// Exits has a watchdog call fn where it would end the process, for a test.
func Exits(t *testing.T, fn func(text string)) {
	was := endProcess
	endProcess = fn
	t.Cleanup(func() { endProcess = was })
}

// Command is what a failure says to run a test again.
var Command = command

// GoroutinesBy is Goroutines of a TB that is no test's own, with bubbles of t's.
func GoroutinesBy(tb testing.TB, t *testing.T) testing.TB {
	Goroutines(t)
	return &withGoroutines{tb, t}
}
