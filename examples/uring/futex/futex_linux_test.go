//go:build linux

package main

import (
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestPlay: each hit is seen by the other, and none is lost.
func TestPlay(t *testing.T) {
	r, err := uring.ProbeFor(nil)
	if err == nil {
		err = r.Require()
	}
	if err != nil {
		t.Skip("no io_uring here: ", err)
	}
	if !r.Ops.Has(uring.OpFutexWait) {
		t.Skip("needs FUTEX_WAIT, Linux 6.7")
	}
	for _, rounds := range []uint32{0, 1, 500} {
		if hits, err := play(rounds); hits != 2*rounds || err != nil {
			t.Errorf("%d hits in %d rounds: %v", hits, rounds, err)
		}
	}
}
