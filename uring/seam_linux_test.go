//go:build linux

package uring

import "testing"

// TestNoSeam finds that a ring on the real kernel makes its calls itself: nothing
// stands between, and Enter takes its short way. docs/adr/0013 has the code that comes of it.
func TestNoSeam(t *testing.T) {
	r := open(t, 8, nil)
	if r.mask != nil {
		t.Skipf("the environment puts a mask before the kernel: %s", r.mask)
	}
	if r.kernel != nil || r.special != checkOwner {
		t.Errorf("kernel %v, special %v: want none, and what -race or -tags invariants say (%v)",
			r.kernel, r.special, checkOwner)
	}
}
