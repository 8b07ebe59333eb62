package uring

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// A CancelMatch says which requests to cancel. Each pointer that is not nil narrows it; with none it is every request,
// whether All and Any are set or not.
type CancelMatch struct {
	UserData *uint64 // those with this user data
	FD       *int    // those on this file; it must be open. Linux 5.19 in entries
	Fixed    bool    // FD is an index into the registered files
	Op       *Op     // those of this opcode. Linux 6.6

	All bool // all that match, not only the first
	Any bool // all there are: nothing else may be set but All
}

// SyncCancel cancels requests and waits until they have ended, at most timeout; negative: without a bound. Their CQEs
// come all the same, and memory is the kernel's until then. One that a disk is at, or a thread of the kernel's that
// cannot be stopped, is waited for. It returns how many were told to end, where the kernel counts them: with All or
// Any. ENOENT: none matches; ETIME: the time was up; EINVAL: a match that the kernel does not know.
//
// Only the owner may call it. It tells the scheduler that it may wait. Since Linux 6.0. See
// io_uring_register_sync_cancel(3).
func (r *Ring) SyncCancel(m CancelMatch, timeout time.Duration) (int, error) {
	reg := abi.Io_uring_sync_cancel_reg_op{Fd: -1, Timeout: abi.Kernel_timespec{Tv_sec: -1, Tv_nsec: -1}}
	m.fill(&reg)
	if timeout >= 0 {
		ts := NewTimespec(timeout)
		reg.Timeout = abi.Kernel_timespec{Tv_sec: ts.Sec, Tv_nsec: ts.Nsec}
	}
	if err := asFD("io_uring_register(SYNC_CANCEL)", m.FD); err != nil {
		return 0, err
	}
	n, errno := r.sysRegister(abi.IORING_REGISTER_SYNC_CANCEL, unsafe.Pointer(&reg), 1)
	if errno != 0 {
		return 0, setupError(fmt.Sprintf("io_uring_register(SYNC_CANCEL, flags %#x)", reg.Flags), errno)
	}
	return n, nil
}

func (m *CancelMatch) fill(reg *abi.Io_uring_sync_cancel_reg_op) {
	if m.UserData != nil {
		reg.Addr = *m.UserData
		if m.FD != nil || m.Op != nil {
			reg.Flags |= abi.IORING_ASYNC_CANCEL_USERDATA // by default no more than this
		}
	}
	if m.FD != nil {
		reg.Fd = int32(*m.FD)
		reg.Flags |= abi.IORING_ASYNC_CANCEL_FD
	}
	if m.Fixed {
		reg.Flags |= abi.IORING_ASYNC_CANCEL_FD_FIXED
	}
	if m.Op != nil {
		reg.Opcode = uint8(*m.Op)
		reg.Flags |= abi.IORING_ASYNC_CANCEL_OP
	}
	if m.All {
		reg.Flags |= abi.IORING_ASYNC_CANCEL_ALL
	}
	if m.Any || m.UserData == nil && m.FD == nil && m.Op == nil { // the kernel would take 0 for user data
		reg.Flags |= abi.IORING_ASYNC_CANCEL_ANY
	}
}

// CancelAll cancels every request of the ring that waits for readiness, for time or for its turn. One that
// a thread of the kernel's or a disk is at goes on, and nil does not say that there is none. All CQEs are to be taken
// as always, and memory is the kernel's until then. The call waits for as long as the kernel likes, at most timeout;
// negative: without a bound. It returns nil, too, if there was nothing to cancel; ETIME when the time was up, EINVAL on
// older kernels. A signal ends it with EINTR.
//
// Only the owner may call it. Since Linux 6.0. See io_uring_register_sync_cancel(3).
func (r *Ring) CancelAll(timeout time.Duration) error {
	_, err := r.SyncCancel(CancelMatch{Any: true, All: true}, timeout)
	if errors.Is(err, posix.ENOENT) {
		return nil
	}
	return err
}
