package testmain

import (
	"runtime"
	"strings"
)

// notOurs are functions on the stacks of goroutines that the runtime or the packages testing and os/signal start when
// they need them, and then keep.
var notOurs = []string{
	"runtime.runFinalizers(",
	"runtime.runCleanups(",
	"runtime.ensureSigM",
	"os/signal.loop(",
	"testing.(*M)",
	"testing.runFuzzing(",
	"testing.runFuzzTests(",
	"internal/fuzz.",
}

// goroutines lists all goroutines but the calling one, by number, with stacks.
func goroutines() inventory {
	found := inventory{}
	for _, stack := range strings.Split(strings.TrimSpace(allStacks()), "\n\n")[1:] {
		if isOurs(stack) {
			id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
			found[id] = strings.ReplaceAll(stack, "\n", "\n    ")
		}
	}
	return found
}

// cleaners returns the stacks of goroutines that are in the middle of a finalizer or cleanup.
func cleaners() (list []string) {
	for _, stack := range strings.Split(strings.TrimSpace(allStacks()), "\n\n") {
		if strings.Contains(stack, "runtime.runFinalizers(") || strings.Contains(stack, "runtime.runCleanups(") {
			list = append(list, strings.ReplaceAll(stack, "\n", "\n    "))
		}
	}
	return list
}

func isOurs(stack string) bool {
	for _, fn := range notOurs {
		if strings.Contains(stack, fn) {
			return false
		}
	}
	return true
}

// allStacks returns the stacks of all goroutines, the caller's first.
func allStacks() string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}
