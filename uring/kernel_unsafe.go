package uring

import (
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Each of these methods makes one system call, or calls the stand-in for the kernel. Enter chooses by itself, because
// there a call of one of these would cost measurably.

func (r *Ring) sysSetup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	if r.kernel != nil {
		return r.kernel.Setup(entries, p)
	}
	return sys.UringSetup(entries, p)
}

// sysMap maps a part of the ring. It needs a real descriptor, because mmap accepts no registered one.
func (r *Ring) sysMap(offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	fd := r.FD()
	if fd < 0 {
		return nil, posix.EBADF // -1 would map fresh pages
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

// canMap reports, as an error, that the ring has no descriptor for a mapping. Callers check it before a register call
// whose memory they must map afterwards.
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

// sysRegister uses the real descriptor, which works on every kernel, and the registered one only if there is no other.
func (r *Ring) sysRegister(op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	fd := r.FD()
	if fd < 0 {
		if r.enterFlags&abi.IORING_ENTER_REGISTERED_RING == 0 {
			return 0, posix.EBADF // closed; to the kernel -1 would mean "without a ring"
		}
		if sys.UringThread() != r.owner {
			return 0, posix.EEXIST // on this thread the index may belong to another ring
		}
		fd, op = r.enterFD, op|abi.IORING_REGISTER_USE_REGISTERED_RING
	}
	return register(r.kernel, fd, op, arg, n)
}

// register makes the call, on the stand-in k if there is one.
func register(k sys.Uring, fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	if k != nil {
		return k.Register(fd, op, arg, n)
	}
	return sys.UringRegister(fd, op, arg, n)
}

// sysEnterRaw makes an enter call with any argument, and tells the scheduler. A stand-in may lack this call; then the
// error is EINVAL.
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

// addressOf returns the argument's address as a number. The argument lies in the Ring, which is on the heap and
// reachable.
func addressOf(arg *abi.Io_uring_getevents_arg) uintptr { return uintptr(unsafe.Pointer(arg)) }

func (r *Ring) sysClose(fd int) posix.Errno {
	if r.kernel != nil {
		return r.kernel.Close(fd)
	}
	return sys.UringClose(fd)
}
