package memkernel

import (
	"testing"

	"ringo/internal/kernel"
	"ringo/internal/sim/world"
	"ringo/internal/test/kerneltest"
)

var _ kernel.Kernel = (*Host)(nil)

// A host keeps the contract that the system's kernel keeps.
func TestContract(t *testing.T) {
	kerneltest.Run(t, func(t *testing.T) kerneltest.World {
		h := NewNetwork(world.New(1)).Host("here")
		t.Cleanup(func() {
			if n := h.Open(); n != 0 {
				t.Errorf("%d descriptors are left", n)
			}
		})
		return kerneltest.World{Kernel: h, Do: h.Attempt, Dir: "/tmp", Inherited: h.Inherited}
	})
}
