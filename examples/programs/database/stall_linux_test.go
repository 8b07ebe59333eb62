package main

import (
	"strings"
	"testing"
	"time"

	"ringo"
)

// stalls gives the OnStall of loops that nothing of Go's may hold: a turn that is long since others have the processor
// is none.
func stalls(t *testing.T) func(*ringo.Loop, time.Duration, []byte) {
	return func(_ *ringo.Loop, d time.Duration, stack []byte) {
		if waits(string(stack)) {
			t.Errorf("a task holds its loop, for %v by now:\n%s", d, stack)
		}
	}
}

// waits reports whether a task is in a wait of Go's own.
func waits(stack string) bool {
	for _, in := range []string{"runtime.gopark(", "runtime.chanrecv", "runtime.chansend", "runtime.selectgo(",
		"sync.runtime_", "sync.(*Cond).Wait", "time.Sleep("} {
		if strings.Contains(stack, in) {
			return true
		}
	}
	return false
}
