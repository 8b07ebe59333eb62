package sim

import (
	"testing"

	"ringo"
)

// RunLoop runs fn as the first task of a loop in a world of its own, with one host, until fn and all its tasks have
// ended. The test fails if fn returns an error, if all tasks wait for events that will never happen, or if a descriptor
// is left open. The world has a virtual clock, a loopback network, and a disk in memory that is empty except for /tmp
// and /data: a test that sleeps for an hour takes no time, and leaves nothing behind.
func RunLoop(t testing.TB, fn func(l *ringo.Loop) error) {
	t.Helper()
	Run(t, 1, func(w *World) { w.Check(w.Wait(w.Host("localhost").Run(nil, fn))) })
}
