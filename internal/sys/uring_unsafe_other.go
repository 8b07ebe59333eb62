//go:build !linux

package sys

import (
	"syscall"
	"unsafe"

	"ringo/internal/abi"
)

// HaveUring says whether this OS has io_uring at all; whether it may be used only Setup can tell.
const HaveUring = false

// UringSetup always fails with ENOSYS, as do the other calls here.
func UringSetup(uint32, *abi.Io_uring_params) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// UringEnter always fails with ENOSYS.
func UringEnter(int, uint32, uint32, uint32, *abi.Io_uring_getevents_arg) syscall.Errno {
	return syscall.ENOSYS
}

// UringEnterNow always fails with ENOSYS.
func UringEnterNow(int, uint32, uint32) syscall.Errno { return syscall.ENOSYS }

// UringRegister always fails with ENOSYS.
func UringRegister(int, uint32, unsafe.Pointer, uint32) (int, syscall.Errno) {
	return 0, syscall.ENOSYS
}

// UringMap always fails with ENOSYS.
func UringMap(int, uint64, int) (unsafe.Pointer, syscall.Errno) { return nil, syscall.ENOSYS }

// UringUnmap always fails with ENOSYS.
func UringUnmap(unsafe.Pointer, int) syscall.Errno { return syscall.ENOSYS }

// UringClose always fails with ENOSYS.
func UringClose(int) syscall.Errno { return syscall.ENOSYS }

// UringThread returns 0: every thread counts as the owner.
func UringThread() int { return 0 }
