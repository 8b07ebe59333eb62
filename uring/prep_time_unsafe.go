package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Time out and cancel
//
// The kernel copies a Timespec when it consumes the entry.

// PrepTimeout fills in a timer (Linux 5.4). It ends with ETIME after ts, or with 0 once the ring has made count other
// CQEs since; with count 0 only the time counts. The kernel copies ts when it consumes the entry. flags are Timeout
// constants; 0 means relative to now, on the monotonic clock. See io_uring_prep_timeout(3).
func (e *SQE) PrepTimeout(ts *Timespec, count uint32, flags uint32) {
	e.prep(OpTimeout, -1, ptr(unsafe.Pointer(ts)), 1, uint64(count), flags)
}

// PrepTimeoutRemove fills in the removal of the timer that has this user data (Linux 5.5). The result is 0, ENOENT,
// EBUSY or EALREADY. The timer itself ends with ECANCELED. See io_uring_prep_timeout_remove(3).
func (e *SQE) PrepTimeoutRemove(userData uint64) {
	e.prep(OpTimeoutRemove, -1, userData, 0, 0, 0)
}

// PrepTimeoutUpdate changes the time of the timer with this user data (Linux 5.11). The result is 0, ENOENT, or
// EALREADY if the timer is just firing. flags are 0 or TimeoutAbs, plus TimeoutLinked for a timer of PrepLinkTimeout
// (Linux 5.15). The timer keeps its clock. See io_uring_prep_timeout_update(3).
func (e *SQE) PrepTimeoutUpdate(userData uint64, ts *Timespec, flags uint32) {
	e.prep(OpTimeoutRemove, -1, userData, 0, ptr(unsafe.Pointer(ts)), flags|abi.IORING_TIMEOUT_UPDATE)
}

// PrepLinkTimeout fills in a time limit for the entry before, which must have SQELink or SQEHardLink set (Linux 5.5).
// When the time is up, the kernel cancels that request, and this one ends with ETIME; or with ENOENT or EALREADY if the
// request could not be cancelled, or with 1 if it was a wait for a process or futex. If the request ends first, this
// one ends with ECANCELED. Both make their CQEs, in any order. flags are Timeout constants. EINVAL: there is no request
// before. See io_uring_prep_link_timeout(3).
func (e *SQE) PrepLinkTimeout(ts *Timespec, flags uint32) {
	e.prep(OpLinkTimeout, -1, ptr(unsafe.Pointer(ts)), 1, 0, flags)
}

// PrepCancel fills in the cancellation of one request with this user data (Linux 5.5). The result is 0, ENOENT, or
// EALREADY if it may be too late; for waits for processes and futexes it may also be 1. The request still ends with a
// CQE of its own, with ECANCELED or with its result; the two CQEs come in any order. See io_uring_prep_cancel64(3).
func (e *SQE) PrepCancel(userData uint64) {
	e.prep(OpAsyncCancel, -1, userData, 0, 0, 0)
}

// PrepCancelFD fills in the cancellation of all requests on the descriptor, which must still be open (Linux 5.19). The
// result is their number, 0 if there were none. See io_uring_prep_cancel_fd(3).
func (e *SQE) PrepCancelFD(fd int) {
	e.prep(OpAsyncCancel, fd, 0, 0, 0, abi.IORING_ASYNC_CANCEL_FD|abi.IORING_ASYNC_CANCEL_ALL)
}

// PrepCancelMatching fills in the cancellation of requests that match all the criteria in flags, which are Cancel
// constants. userData, fd and op count only with their flags; userData also counts if no flag names a criterion. With
// CancelAll or CancelAny the result is the number of requests cancelled; otherwise one is cancelled, and the result is
// as for PrepCancel. Linux 5.19; 6.0 and 6.6 for some flags. See io_uring_prep_cancel64(3).
func (e *SQE) PrepCancelMatching(flags uint32, userData uint64, fd int, op Op) {
	if flags&abi.IORING_ASYNC_CANCEL_OP == 0 {
		op = 0
	}
	if flags&abi.IORING_ASYNC_CANCEL_FD == 0 {
		fd = -1
	}
	e.prep(OpAsyncCancel, fd, userData, uint32(op), 0, flags)
}
