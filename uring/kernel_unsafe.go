package uring

import (
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Each of these makes one system call, or asks the stand-in. Enter has its own, because there the choice would show.

func (r *Ring) sysSetup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	if r.kernel != nil {
		return r.kernel.Setup(entries, p)
	}
	return sys.UringSetup(entries, p)
}

func (r *Ring) sysMap(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	if r.kernel != nil {
		return r.kernel.Map(fd, offset, size)
	}
	return sys.UringMap(fd, offset, size)
}

func (r *Ring) sysUnmap(p unsafe.Pointer, size int) posix.Errno {
	if r.kernel != nil {
		return r.kernel.Unmap(p, size)
	}
	return sys.UringUnmap(p, size)
}

// sysRegister uses the real descriptor, which works on every kernel.
func (r *Ring) sysRegister(op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	if r.fd < 0 {
		return 0, posix.EBADF // closed; -1 would mean "without a ring" to the kernel
	}
	if r.kernel != nil {
		return r.kernel.Register(r.fd, op, arg, n)
	}
	return sys.UringRegister(r.fd, op, arg, n)
}

func (r *Ring) sysClose(fd int) posix.Errno {
	if r.kernel != nil {
		return r.kernel.Close(fd)
	}
	return sys.UringClose(fd)
}
