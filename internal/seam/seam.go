package seam

import (
	"fmt"

	"ringo/internal/mask"
	"ringo/internal/sys"
)

// A Seam says what a ring has for a kernel.
type Seam struct {
	Mask   *mask.Mask // behaves as an older one; nil: what RINGO_MASK says, or nothing if there is a Kernel
	Kernel sys.Uring  // is called in the kernel's place; nil: the real one
}

// hook puts a Seam into a configuration of package uring's, which alone knows how. Set once, by that package's init.
var hook func(cfg any, s Seam) bool

// Hook is how package uring tells what Put is to do. It reports whether it knows the configuration.
func Hook(h func(cfg any, s Seam) bool) { hook = h }

// Put gives rings made by the configuration the seam, and returns the configuration, a *uring.Config.
func Put[C any](cfg *C, s Seam) *C {
	if !hook(cfg, s) {
		panic(fmt.Sprintf("seam: %T is no configuration of a ring", cfg))
	}
	return cfg
}
