// Package seam is where this module's own tests, and RINGO_MASK, put something between package uring and the kernel
// without a word of it in that package's public API: an older kernel (internal/mask), or one that is played
// (docs/adr/0013).
//
//	uring.Open(8, seam.Put(&uring.Config{AnyThread: true}, seam.Seam{Kernel: k}))
package seam
