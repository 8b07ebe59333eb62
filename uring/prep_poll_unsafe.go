package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Poll
//
// Events are those of poll(2), with the same numbers as in epoll(7).

// PrepPollAdd fills in a wait for one of the POLL events (Linux 5.1); the result is the mask of those that hold. The
// kernel always reports POLLERR, POLLHUP and POLLRDHUP, too. See io_uring_prep_poll_add(3).
func (e *SQE) PrepPollAdd(fd int, events uint32) {
	e.prep(OpPollAdd, fd, 0, 0, 0, pollMask(events))
}

// PrepPollMultishot is PrepPollAdd that makes a CQE at every new event, for as long as the CQEs have CQEMore set (Linux
// 5.13). It is edge-triggered: a state that persists makes no further CQE. See io_uring_prep_poll_multishot(3).
func (e *SQE) PrepPollMultishot(fd int, events uint32) {
	e.prep(OpPollAdd, fd, 0, abi.IORING_POLL_ADD_MULTI, 0, pollMask(events))
}

// PrepPollRemove fills in the removal of the poll that has this user data (Linux 5.1). The result is 0, ENOENT or
// EALREADY. The poll itself ends with ECANCELED. See io_uring_prep_poll_remove(3).
func (e *SQE) PrepPollRemove(userData uint64) {
	e.prep(OpPollRemove, -1, userData, 0, 0, 0)
}

// PrepPollUpdate changes the poll that has this user data, without a CQE for the poll (Linux 5.13). flags are
// PollUpdate constants and say which of the new values to use. The result is 0, ENOENT or EALREADY, or ECANCELED if the
// poll could not continue and has ended. See io_uring_prep_poll_update(3).
func (e *SQE) PrepPollUpdate(userData, newUserData uint64, newEvents, flags uint32) {
	e.prep(OpPollRemove, -1, userData, flags, newUserData, pollMask(newEvents))
}

// pollMask orders the halves of the mask as the kernel wants them: the mask once had only 16 bits.
func pollMask(events uint32) uint32 {
	if abi.BigEndian {
		return events<<16 | events>>16
	}
	return events
}

// PrepEpollCtl fills in an epoll_ctl(2) (Linux 5.6). op is an EPOLL_CTL_ constant. The kernel copies event, a struct
// epoll_event, when it consumes the entry. See io_uring_prep_epoll_ctl(3).
func (e *SQE) PrepEpollCtl(epfd, op, fd int, event unsafe.Pointer) {
	e.prep(OpEpollCtl, epfd, ptr(event), uint32(op), uint64(uint32(fd)), 0)
}

// PrepEpollWait fills in an epoll_wait(2) without a timeout (Linux 6.15). events has room for n structs epoll_event and
// belongs to the kernel until the CQE, whose result is how many the kernel has written. See
// io_uring_prep_epoll_wait(3).
func (e *SQE) PrepEpollWait(epfd int, events unsafe.Pointer, n int) {
	e.prep(OpEpollWait, epfd, ptr(events), uint32(n), 0, 0)
}
