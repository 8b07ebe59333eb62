//go:build !linux || portable

package sys

import (
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// HaveUring says whether this OS has io_uring at all; only Setup can tell whether it may be used.
const HaveUring = false

// UringSetup always fails with ENOSYS, as do the other calls here.
func UringSetup(uint32, *abi.Io_uring_params) (int, posix.Errno) { return -1, posix.ENOSYS }

// UringEnter always fails with ENOSYS.
func UringEnter(int, uint32, uint32, uint32, *abi.Io_uring_getevents_arg) posix.Errno {
	return posix.ENOSYS
}

// UringEnterRaw always fails with ENOSYS.
func UringEnterRaw(int, uint32, uint32, uint32, uintptr, uintptr) (int, posix.Errno) {
	return 0, posix.ENOSYS
}

// UringEnterNow always fails with ENOSYS.
func UringEnterNow(int, uint32, uint32) posix.Errno { return posix.ENOSYS }

// UringEnterKeepingP always fails with ENOSYS.
func UringEnterKeepingP(int, uint32, uint32, uint32, *abi.Io_uring_getevents_arg) posix.Errno {
	return posix.ENOSYS
}

// UringRegister always fails with ENOSYS.
func UringRegister(int, uint32, unsafe.Pointer, uint32) (int, posix.Errno) {
	return 0, posix.ENOSYS
}

// UringMap always fails with ENOSYS.
func UringMap(int, uint64, int) (unsafe.Pointer, posix.Errno) { return nil, posix.ENOSYS }

// UringUnmap always fails with ENOSYS.
func UringUnmap(unsafe.Pointer, int) posix.Errno { return posix.ENOSYS }

// UringClose always fails with ENOSYS.
func UringClose(int) posix.Errno { return posix.ENOSYS }

// UringThread returns 0: every thread counts as the owner.
func UringThread() int { return 0 }
