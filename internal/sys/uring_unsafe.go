package sys

import (
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// Uring is the kernel as package uring sees it: the three system calls of io_uring, and the memory that goes with
// them. A ring normally makes these calls itself, without an interface; a test gives it a scripted Uring instead and
// plays the kernel in Go, with short submits, lost wake-ups or an overflowing CQ on demand.
type Uring interface {
	// Setup is io_uring_setup(2): it fills in what the kernel fills in.
	Setup(entries uint32, p *abi.Io_uring_params) (fd int, errno posix.Errno)
	// Map maps size bytes of the ring at one of the IORING_OFF_ offsets; with fd -1 it gives fresh zeroed pages.
	Map(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno)
	// Unmap gives back what Map gave.
	Unmap(p unsafe.Pointer, size int) posix.Errno
	// Enter is io_uring_enter(2); arg is nil without IORING_ENTER_EXT_ARG. fd is the registered index with
	// IORING_ENTER_REGISTERED_RING. The SQ's head shows what was consumed.
	Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno
	// Register is io_uring_register(2).
	Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno)
	// Close closes the ring's file descriptor.
	Close(fd int) posix.Errno
}

// UringRaw is a Uring that also takes other arguments of io_uring_enter(2) than a getevents_arg.
type UringRaw interface {
	Uring
	// EnterRaw is io_uring_enter(2) with all its arguments, and its result: how many entries were consumed.
	EnterRaw(fd int, submit, wait, flags uint32, arg, size uintptr) (int, posix.Errno)
}
