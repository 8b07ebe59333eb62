//go:build (amd64 || 386) && !race

package uring

import (
	"sync/atomic"
	"unsafe"
)

// show stores an index of ours, of which this side is the only writer, for the kernel to acquire: a release and no
// more. atomic.Uint32.Store is an XCHG here, a barrier of some 6 ns that nobody needs: these processors keep a store
// behind the loads and stores that precede it, and so does the compiler, which moves no load or store across a store
// (cmd/compile/internal/ssa/schedule.go). liburing's io_uring_smp_store_release is the same.
//
// What must be seen before a load that follows, as by a kernel thread that goes to sleep, takes Store.
func show(word *atomic.Uint32, index uint32) { *(*uint32)(unsafe.Pointer(word)) = index }
