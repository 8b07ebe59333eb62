// Package seam lets this module's own tests, and RINGO_MASK, put something between package uring and the kernel: an
// imitation of an older kernel (internal/mask), or a kernel that a test plays (docs/adr/0013). Package uring's public
// API does not show it.
//
//	uring.Open(8, seam.Put(&uring.Config{AnyThread: true}, seam.Seam{Kernel: k}))
package seam
