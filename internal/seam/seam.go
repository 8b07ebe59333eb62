package seam

import (
	"fmt"

	"ringo/internal/mask"
	"ringo/internal/sys"
)

// A Seam says which kernel a ring uses.
type Seam struct {
	Mask   *mask.Mask // makes it behave like an older one; nil: the mask in RINGO_MASK, or none if Kernel is set
	Kernel sys.Uring  // is called in the kernel's place; nil: the real kernel
}

// hook puts a Seam into a configuration of package uring, and reports whether cfg is one. Package uring's init sets it.
var hook func(cfg any, s Seam) bool

// Hook sets the function by which Put works. Package uring calls it once: only that package can set the seam in its
// configuration. h reports whether cfg is such a configuration.
func Hook(h func(cfg any, s Seam) bool) { hook = h }

// Put sets the seam for the rings that are made with the configuration, a *uring.Config, and returns the configuration.
func Put[C any](cfg *C, s Seam) *C {
	if !hook(cfg, s) {
		panic(fmt.Sprintf("seam: %T is no configuration of a ring", cfg))
	}
	return cfg
}
