package uring

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// register makes the call and wraps a failure.
func (r *Ring) register(step string, op uint32, arg unsafe.Pointer, n int) (int, error) {
	for {
		res, errno := r.sysRegister(op, arg, uint32(n))
		switch errno {
		case 0:
			return res, nil
		case posix.EINTR: // Linux 6.1 waits here until what is unregistered is out of use, and Go sends signals
		default:
			return 0, setupError(step, errno)
		}
	}
}

// ProbeOps returns the opcodes that the kernel has (Linux 5.6; EINVAL before). That an op is there does not say which
// of its flags are. See io_uring_register(2), IORING_REGISTER_PROBE.
func (r *Ring) ProbeOps() (OpSet, error) {
	var ops OpSet
	var buf struct { // must be zero
		head abi.Io_uring_probe
		ops  [256]abi.Io_uring_probe_op
	}
	if _, err := r.register("io_uring_register(PROBE)", abi.IORING_REGISTER_PROBE, unsafe.Pointer(&buf),
		len(buf.ops)); err != nil {
		return ops, err
	}
	for _, o := range buf.ops[:buf.head.Ops_len] {
		if o.Flags&abi.IO_URING_OP_SUPPORTED != 0 {
			ops = ops.With(Op(o.Op))
		}
	}
	return ops, nil
}

// RegisterFiles gives the ring a table of descriptors, -1 for an empty place (Linux 5.5), to be used with SQEFixedFile.
// The ring holds the files open by itself. ENFILE and EMFILE: more than RLIMIT_NOFILE; EBUSY: there is a table already.
// See io_uring_register(2).
func (r *Ring) RegisterFiles(fds []int) error {
	list := int32s(fds)
	_, err := r.register(fmt.Sprintf("io_uring_register(FILES, %d)", len(fds)), abi.IORING_REGISTER_FILES,
		unsafe.Pointer(unsafe.SliceData(list)), len(list))
	return err
}

// UpdateFiles changes places of the table from off on (Linux 5.5) and returns how many. -1 empties a place; requests
// that use the old file keep it.
func (r *Ring) UpdateFiles(off int, fds []int) (int, error) {
	list := int32s(fds)
	// Its address goes in as a number, which keeps nothing alive and nothing off the stack.
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(list))
	up := abi.Io_uring_rsrc_update{Offset: uint32(off), Data: ptr(unsafe.Pointer(unsafe.SliceData(list)))}
	return r.register(fmt.Sprintf("io_uring_register(FILES_UPDATE, %d at %d)", len(fds), off),
		abi.IORING_REGISTER_FILES_UPDATE,
		unsafe.Pointer(&up), len(list))
}

// UnregisterFiles takes the table away. ENXIO: there is none.
func (r *Ring) UnregisterFiles() error {
	_, err := r.register("io_uring_unregister(FILES)", abi.IORING_UNREGISTER_FILES, nil, 0)
	return err
}

// RegisterBuffers pins memory for OpReadFixed, OpWriteFixed and fixed zero-copy sends: BufIndex of the SQE says
// which. The ring keeps the slices alive until UnregisterBuffers or Close. ENOMEM: RLIMIT_MEMLOCK, which counts
// these on every kernel. EBUSY: there are buffers already.
func (r *Ring) RegisterBuffers(bufs [][]byte) error {
	iov := make([]iovec, len(bufs))
	for i, b := range bufs {
		iov[i] = iovec{unsafe.SliceData(b), uintptr(len(b))}
	}
	_, err := r.register(fmt.Sprintf("io_uring_register(BUFFERS, %d)", len(bufs)), abi.IORING_REGISTER_BUFFERS,
		unsafe.Pointer(unsafe.SliceData(iov)), len(iov))
	if err == nil {
		r.pinned = iov
	}
	return err
}

// UnregisterBuffers waits until no request uses the buffers and unpins them. ENXIO: there are none.
func (r *Ring) UnregisterBuffers() error {
	_, err := r.register("io_uring_unregister(BUFFERS)", abi.IORING_UNREGISTER_BUFFERS, nil, 0)
	if err == nil {
		r.pinned = nil
	}
	return err
}

// RegisterEventfd has the kernel add one to the eventfd whenever it posts completions (Linux 5.2); with
// SetupDeferTaskrun already when there is work to be done for them. EBUSY: there is one already.
func (r *Ring) RegisterEventfd(fd int) error {
	n := int32(fd)
	_, err := r.register("io_uring_register(EVENTFD)", abi.IORING_REGISTER_EVENTFD, unsafe.Pointer(&n), 1)
	return err
}

// UnregisterEventfd undoes RegisterEventfd. ENXIO: there is none.
func (r *Ring) UnregisterEventfd() error {
	_, err := r.register("io_uring_unregister(EVENTFD)", abi.IORING_UNREGISTER_EVENTFD, nil, 0)
	return err
}

// IOWQMaxWorkers bounds the kernel's worker threads of this thread's rings (Linux 5.15): bounded ones serve files and
// block devices, unbounded ones everything else that cannot wait by poll. 0 leaves a bound alone. It returns
// the bounds that were.
func (r *Ring) IOWQMaxWorkers(bounded, unbounded uint32) (oldBounded, oldUnbounded uint32, err error) {
	n := [2]uint32{bounded, unbounded}
	_, err = r.register("io_uring_register(IOWQ_MAX_WORKERS)", abi.IORING_REGISTER_IOWQ_MAX_WORKERS,
		unsafe.Pointer(&n), len(n))
	return n[0], n[1], err
}

// CancelAll cancels every request of the ring that waits for readiness, for time or for its turn (Linux 6.0). One that
// a thread of the kernel's or a disk is at goes on, and nil does not say that there is none. All CQEs are to be taken
// as always, and memory is the kernel's until then. The call waits for as long as the kernel likes, at most timeout;
// negative: without a bound. It returns nil, too, if there was nothing to cancel; ETIME when the time was up, EINVAL on
// older kernels.
func (r *Ring) CancelAll(timeout time.Duration) error {
	reg := abi.Io_uring_sync_cancel_reg{Flags: abi.IORING_ASYNC_CANCEL_ANY | abi.IORING_ASYNC_CANCEL_ALL}
	reg.Timeout = abi.Kernel_timespec{Tv_sec: -1, Tv_nsec: -1}
	if timeout >= 0 {
		ts := NewTimespec(timeout)
		reg.Timeout = abi.Kernel_timespec{Tv_sec: ts.Sec, Tv_nsec: ts.Nsec}
	}
	_, errno := r.sysRegister(abi.IORING_REGISTER_SYNC_CANCEL, unsafe.Pointer(&reg), 1)
	if errno == 0 || errno == posix.ENOENT {
		return nil
	}
	return setupError("io_uring_register(SYNC_CANCEL)", errno)
}

// iovec is struct iovec.
type iovec struct {
	base *byte
	len  uintptr
}

func int32s(fds []int) []int32 {
	list := make([]int32, len(fds))
	for i, fd := range fds {
		list[i] = int32(fd)
	}
	return list
}
