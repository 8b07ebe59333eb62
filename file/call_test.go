package file

import (
	"testing"

	"ringo/internal/op"
)

// Worlds of a process share what is reused: a call whose task a crash has ended is under way until its driver is
// closed.
func TestCallUnderWayIsNotReused(t *testing.T) {
	c := newCall(op.Sync, 3)
	c.parked = true
	c.free()
	for range 100 {
		if newCall(op.Sync, 3) == c {
			t.Fatal("the call is another's while its op is under way")
		}
	}
}
