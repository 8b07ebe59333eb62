package census

import (
	"testing"

	"ringo/internal/loop"
)

// A walk that is given up takes its place out of the list.
func TestHandleWalkGivenUp(t *testing.T) {
	var l loop.Loop
	w := &handleWalk{l: &l, visit: func(*HandleInfo) {}}
	handles := make([]struct {
		loop.Handle
		handleWalk // an Open
	}, 3*handlesInStep)
	for i := range handles {
		l.Handles().Register(&handles[i].Handle, &handles[i])
	}
	if w.step() {
		t.Fatal("all at once")
	}
	w.drop()
	n := 0
	l.Handles().Each(func(loop.Open) { n++ })
	if n != len(handles) {
		t.Errorf("%d handles, want %d", n, len(handles))
	}
}
