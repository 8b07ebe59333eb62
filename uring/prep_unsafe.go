package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// PrepNop fills in an op that does nothing and succeeds (Linux 5.1). See io_uring_prep_nop(3).
func (e *SQE) PrepNop() {
	e.prep(OpNop, -1, 0, 0, 0, 0)
}

// PrepRead fills in a pread(2) (Linux 5.6). p belongs to the kernel until the CQE. off -1 is the file's own position,
// and what pipes and sockets want. See io_uring_prep_read(3).
func (e *SQE) PrepRead(fd int, p []byte, off int64) {
	addr, n := bytesOf(p)
	e.prep(OpRead, fd, addr, n, uint64(off), 0)
}

// PrepWrite fills in a pwrite(2) (Linux 5.6), with off as for PrepRead. Use PrepSend for sockets: a write to one whose
// peer is gone raises SIGPIPE. See io_uring_prep_write(3).
func (e *SQE) PrepWrite(fd int, p []byte, off int64) {
	addr, n := bytesOf(p)
	e.prep(OpWrite, fd, addr, n, uint64(off), 0)
}

// PrepReadv fills in a preadv(2) (Linux 5.1). vec is the address of n structs iovec; they and what they name belong to
// the kernel until the CQE. off is as for PrepRead. See io_uring_prep_readv(3).
func (e *SQE) PrepReadv(fd int, vec unsafe.Pointer, n int, off int64) {
	e.prep(OpReadv, fd, uint64(uintptr(vec)), uint32(n), uint64(off), 0)
}

// PrepWritev fills in a pwritev(2) (Linux 5.1), as PrepReadv. See io_uring_prep_writev(3).
func (e *SQE) PrepWritev(fd int, vec unsafe.Pointer, n int, off int64) {
	e.prep(OpWritev, fd, uint64(uintptr(vec)), uint32(n), uint64(off), 0)
}

// PrepClose fills in a close(2) (Linux 5.6). It does not cancel what is in flight on the descriptor: those requests
// hold the file open. See io_uring_prep_close(3).
func (e *SQE) PrepClose(fd int) {
	e.prep(OpClose, fd, 0, 0, 0, 0)
}

// PrepPollAdd fills in a wait for one of the POLL events (Linux 5.1); the result is the mask of those that hold.
// POLLERR, POLLHUP and POLLRDHUP come unasked. See io_uring_prep_poll_add(3).
func (e *SQE) PrepPollAdd(fd int, events uint32) {
	e.prep(OpPollAdd, fd, 0, 0, 0, pollMask(events))
}

// PrepPollMultishot is PrepPollAdd that makes a CQE at every new event for as long as they have CQEMore set (Linux
// 5.13). It tells of edges: what was ready before and still is makes none. See io_uring_prep_poll_multishot(3).
func (e *SQE) PrepPollMultishot(fd int, events uint32) {
	e.prep(OpPollAdd, fd, 0, abi.IORING_POLL_ADD_MULTI, 0, pollMask(events))
}

// PrepPollRemove fills in the removal of the poll that has this user data (Linux 5.1): 0, ENOENT or EALREADY. The poll
// itself ends with ECANCELED. See io_uring_prep_poll_remove(3).
func (e *SQE) PrepPollRemove(userData uint64) {
	e.prep(OpPollRemove, -1, userData, 0, 0, 0)
}

// pollMask orders the halves of the mask as the kernel wants them: it once had 16 bits.
func pollMask(events uint32) uint32 {
	if abi.BigEndian {
		return events<<16 | events>>16
	}
	return events
}

// PrepTimeout fills in a timer (Linux 5.4) that ends with ETIME after ts, or with 0 once count other CQEs were made
// since; count 0: the time alone counts. The kernel copies ts when it consumes the entry. flags are IORING_TIMEOUT_
// flags, 0: relative to now, on the monotonic clock. See io_uring_prep_timeout(3).
func (e *SQE) PrepTimeout(ts *Timespec, count uint32, flags uint32) {
	e.prep(OpTimeout, -1, ptr(unsafe.Pointer(ts)), 1, uint64(count), flags)
}

// PrepTimeoutRemove fills in the removal of the timer that has this user data (Linux 5.5): 0, ENOENT, EBUSY or
// EALREADY. The timer itself ends with ECANCELED. See io_uring_prep_timeout_remove(3).
func (e *SQE) PrepTimeoutRemove(userData uint64) {
	e.prep(OpTimeoutRemove, -1, userData, 0, 0, 0)
}

// PrepCancel fills in the cancellation of one request with this user data (Linux 5.5): 0, ENOENT, or EALREADY when
// it is too late to be sure. The request still ends with a CQE of its own, with ECANCELED or with what it got; the
// two CQEs come in any order. See io_uring_prep_cancel64(3).
func (e *SQE) PrepCancel(userData uint64) {
	e.prep(OpAsyncCancel, -1, userData, 0, 0, 0)
}

// PrepCancelFD fills in the cancellation of all requests on the descriptor, which must still be open (Linux 5.19). The
// result is their number, 0 if there were none. See io_uring_prep_cancel_fd(3).
func (e *SQE) PrepCancelFD(fd int) {
	e.prep(OpAsyncCancel, fd, 0, 0, 0, abi.IORING_ASYNC_CANCEL_FD|abi.IORING_ASYNC_CANCEL_ALL)
}

// PrepMsgRing fills in a message to another ring (Linux 5.18): a CQE with this user data and result appears there and
// wakes whoever waits. ringFD is the other ring's FD. EBADFD: that is not a ring; EOVERFLOW: its CQ is full. See
// io_uring_prep_msg_ring(3).
func (e *SQE) PrepMsgRing(ringFD int, res int32, userData uint64) {
	e.prep(OpMsgRing, ringFD, abi.IORING_MSG_DATA, uint32(res), userData, 0)
}
