package uring

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// A CancelMatch selects the requests to cancel. Each pointer that is not nil narrows the selection; with none it is
// every request, whether All and Any are set or not.
type CancelMatch struct {
	UserData *uint64 // requests with this user data
	FD       *int    // requests on this file; it must be open. Linux 5.19 in entries
	Fixed    bool    // FD is an index into the registered files
	Op       *Op     // requests of this opcode. Linux 6.6

	All bool // all that match, not only the first
	Any bool // all requests: only All may be set as well
}

// SyncCancel cancels requests and waits until they have ended, but at most for timeout; a negative timeout means no
// limit. The requests still get their CQEs, and the kernel owns their memory until then. SyncCancel also waits for
// requests that a disk works on, or a kernel thread that can't be stopped. It returns how many requests were cancelled
// if the kernel counts them: with All or Any. ENOENT: none matches; ETIME: the timeout has passed; EINVAL: the kernel
// does not have a criterion.
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
			reg.Flags |= abi.IORING_ASYNC_CANCEL_USERDATA // by default the kernel compares only the user data
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
	if m.Any || m.UserData == nil && m.FD == nil && m.Op == nil { // otherwise the kernel would look for user data 0
		reg.Flags |= abi.IORING_ASYNC_CANCEL_ANY
	}
}

// CancelAll cancels every request of the ring that waits for readiness, for time or for its turn. A request that a
// kernel thread or a disk works on continues, even if CancelAll returns nil. All requests still get their CQEs, and the
// kernel owns their memory until then. The call waits at most for timeout; a negative timeout means no limit. It also
// returns nil if there was nothing to cancel. ETIME: the timeout has passed; EINVAL: an older kernel; EINTR: a signal.
//
// Only the owner may call it. Since Linux 6.0. See io_uring_register_sync_cancel(3).
func (r *Ring) CancelAll(timeout time.Duration) error {
	_, err := r.SyncCancel(CancelMatch{Any: true, All: true}, timeout)
	if errors.Is(err, posix.ENOENT) {
		return nil
	}
	return err
}
