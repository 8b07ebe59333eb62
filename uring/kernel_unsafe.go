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

// sysMap maps a part of the ring. It needs the descriptor: mmap knows no registered ones.
func (r *Ring) sysMap(offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	fd := r.FD()
	if fd < 0 {
		return nil, posix.EBADF // -1 would mean fresh pages
	}
	if r.kernel != nil {
		return r.kernel.Map(fd, offset, size)
	}
	return sys.UringMap(fd, offset, size)
}

// sysFresh maps fresh pages.
func (r *Ring) sysFresh(size int) (unsafe.Pointer, posix.Errno) {
	if r.kernel != nil {
		return r.kernel.Map(-1, 0, size)
	}
	return sys.UringMap(-1, 0, size)
}

// canMap is asked before the kernel is told of what is to be mapped then.
func (r *Ring) canMap(step string) error {
	if r.FD() >= 0 {
		return nil
	}
	e := &SetupError{Step: step, Err: posix.EBADF}
	if !r.closed {
		e.Hint = "mmap of a ring without a descriptor, see CloseFD: a registered one is not enough"
	}
	return e
}

func (r *Ring) sysUnmap(p unsafe.Pointer, size int) posix.Errno {
	if r.kernel != nil {
		return r.kernel.Unmap(p, size)
	}
	return sys.UringUnmap(p, size)
}

// sysRegister uses the real descriptor, which works on every kernel, unless there is none.
func (r *Ring) sysRegister(op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	fd := r.FD()
	if fd < 0 {
		if r.enterFlags&abi.IORING_ENTER_REGISTERED_RING == 0 {
			return 0, posix.EBADF // closed; -1 would mean "without a ring" to the kernel
		}
		if sys.UringThread() != r.owner {
			return 0, posix.EEXIST // there the index names another ring, if any
		}
		fd, op = r.enterFD, op|abi.IORING_REGISTER_USE_REGISTERED_RING
	}
	return register(r.kernel, fd, op, arg, n)
}

// register asks the kernel, or the stand-in if there is one.
func register(k sys.Uring, fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	if k != nil {
		return k.Register(fd, op, arg, n)
	}
	return sys.UringRegister(fd, op, arg, n)
}

// sysEnterRaw tells the scheduler. A stand-in may lack it.
func (r *Ring) sysEnterRaw(submit, wait, flags uint32, arg, size uintptr) (int, posix.Errno) {
	if r.kernel != nil {
		k, ok := r.kernel.(sys.UringRaw)
		if !ok {
			return 0, posix.EINVAL
		}
		return k.EnterRaw(r.enterFD, submit, wait, flags, arg, size)
	}
	return sys.UringEnterRaw(r.enterFD, submit, wait, flags, arg, size)
}

const getEventsArgSize = unsafe.Sizeof(abi.Io_uring_getevents_arg{})

// addressOf is the argument as a number. It lies in the Ring, which is on the heap and reachable.
func addressOf(arg *abi.Io_uring_getevents_arg) uintptr { return uintptr(unsafe.Pointer(arg)) }

func (r *Ring) sysClose(fd int) posix.Errno {
	if r.kernel != nil {
		return r.kernel.Close(fd)
	}
	return sys.UringClose(fd)
}
