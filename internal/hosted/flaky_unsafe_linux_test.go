//go:build linux

package hosted

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// flaky is the kernel, with faults.
type flaky struct {
	// enter changes how many entries are taken, or refuses.
	enter func(submit uint32) (uint32, syscall.Errno)
	// entry changes an entry that is about to be taken.
	entry func(e *abi.Io_uring_sqe)
	// small makes the rings as small as can be.
	small bool
	// setup is what that call gives, if not 0.
	setup syscall.Errno

	params abi.Io_uring_params
	sq     unsafe.Pointer
	sqes   unsafe.Pointer
}

var _ sys.Uring = (*flaky)(nil)

func (k *flaky) Setup(entries uint32, p *abi.Io_uring_params) (int, syscall.Errno) {
	if k.setup != 0 {
		return -1, k.setup
	}
	if k.small {
		entries, p.Cq_entries = 4, 4
	}
	fd, errno := sys.UringSetup(entries, p)
	k.params = *p
	return fd, errno
}

func (k *flaky) Map(fd int, offset uint64, size int) (unsafe.Pointer, syscall.Errno) {
	p, errno := sys.UringMap(fd, offset, size)
	switch offset {
	case abi.IORING_OFF_SQ_RING:
		k.sq = p
	case abi.IORING_OFF_SQES:
		k.sqes = p
	}
	return p, errno
}

func (k *flaky) Unmap(p unsafe.Pointer, size int) syscall.Errno { return sys.UringUnmap(p, size) }

func (k *flaky) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	return sys.UringRegister(fd, op, arg, n)
}

func (k *flaky) Close(fd int) syscall.Errno { return sys.UringClose(fd) }

func (k *flaky) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	if submit > 0 && k.enter != nil {
		var errno syscall.Errno
		if submit, errno = k.enter(submit); errno != 0 {
			return errno
		}
	}
	if k.entry != nil {
		head := (*atomic.Uint32)(unsafe.Add(k.sq, k.params.Sq_off.Head)).Load()
		for i := range submit {
			at := (head + i) & (k.params.Sq_entries - 1)
			k.entry((*abi.Io_uring_sqe)(unsafe.Add(k.sqes, uintptr(at)*unsafe.Sizeof(abi.Io_uring_sqe{}))))
		}
	}
	return sys.UringEnter(fd, submit, wait, flags, arg)
}

// inject makes an entry one that ends with a result at once (Linux 6.10).
func inject(e *abi.Io_uring_sqe, res int32) {
	*e = abi.Io_uring_sqe{Opcode: abi.IORING_OP_NOP, Rw_flags: abi.IORING_NOP_INJECT_RESULT, Len: uint32(res),
		User_data: e.User_data}
}
