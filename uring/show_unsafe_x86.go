//go:build (amd64 || 386) && !race

package uring

import (
	"sync/atomic"
	"unsafe"
)

// show stores one of our indices, of which this side is the only writer, for the kernel to acquire: a release and no
// more. atomic.Uint32.Store is an XCHG here, a full barrier that costs some 6 ns and is not needed: these processors
// keep a store behind the loads and stores that precede it, and so does the compiler, which moves no load or store
// across a store (cmd/compile/internal/ssa/schedule.go). liburing's io_uring_smp_store_release does the same.
//
// Use Store, not show, where the store must be visible before a later load, as with a kernel thread that goes to sleep.
func show(word *atomic.Uint32, index uint32) { *(*uint32)(unsafe.Pointer(word)) = index }
