//go:build linux

package uring

import (
	"testing"
	"time"

	"ringo/internal/abi"
)

// An idle ring must not count as waiting for a disk, where the kernel can tell.
func TestIdleIsNoIOWait(t *testing.T) {
	for _, without := range []Features{0, FeatNoIOWait} {
		r := open(t, 4, &Config{WithoutFeatures: without})
		want := r.Features()&FeatNoIOWait != 0
		if got := r.enterFlags&abi.IORING_ENTER_NO_IOWAIT != 0; got != want {
			t.Errorf("features %v: waits with NO_IOWAIT: %v, want %v", r.Features(), got, want)
		}
		if _, err := r.Wait(1, time.Millisecond); err == nil {
			t.Error("a wait for nothing ended without ETIME")
		}
	}
}
