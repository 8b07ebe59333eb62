package uring

import "ringo/internal/abi"

// Flags of single ops: arguments of Prep methods, or set in entries afterwards. Where the kernel has got a flag later
// than its op, the release stands beside it; before that release the CQE has EINVAL.

// Flags of PrepNopFlags.
const (
	NopInject      = abi.IORING_NOP_INJECT_RESULT // 6.10: the result is Len
	NopFile        = abi.IORING_NOP_FILE          // 6.13: look up FD, EBADF if there is none
	NopFixedFile   = abi.IORING_NOP_FIXED_FILE    // 6.13: with NopFile, FD is an index of the table of files
	NopFixedBuffer = abi.IORING_NOP_FIXED_BUFFER  // 6.13: look for the buffer BufIndex, EFAULT if there is none
	NopTaskWork    = abi.IORING_NOP_TW            // 6.16: complete like a request that has waited
	NopCQE32       = abi.IORING_NOP_CQE32         // 6.18: make a CQE of 32 bytes, with Off and Addr in the second half
)

// Flags of PrepTimeout, PrepTimeoutUpdate and PrepLinkTimeout.
const (
	TimeoutAbs          = abi.IORING_TIMEOUT_ABS           // the time is absolute, not from now
	TimeoutBoottime     = abi.IORING_TIMEOUT_BOOTTIME      // 5.15: CLOCK_BOOTTIME, which continues in a suspend
	TimeoutRealtime     = abi.IORING_TIMEOUT_REALTIME      // 5.15: CLOCK_REALTIME
	TimeoutETimeSuccess = abi.IORING_TIMEOUT_ETIME_SUCCESS // 5.16: ETIME breaks no link, and SQECQESkipSuccess hides it
	TimeoutMultishot    = abi.IORING_TIMEOUT_MULTISHOT     // 6.4: repeat count times, 0: forever
	TimeoutImmediate    = abi.IORING_TIMEOUT_IMMEDIATE_ARG // 7.1: Addr holds the nanoseconds, and Len is 0
	TimeoutLinked       = abi.IORING_LINK_TIMEOUT_UPDATE   // 5.15, PrepTimeoutUpdate: the timer is a PrepLinkTimeout
)

// Flags of PrepPollUpdate. The manual has one more, which turns a poll into a multishot one: Linux 6.18 accepts it, but
// it has no effect.
const (
	PollUpdateEvents   = abi.IORING_POLL_UPDATE_EVENTS    // replace the events
	PollUpdateUserData = abi.IORING_POLL_UPDATE_USER_DATA // replace the user data
)

// Flags of PrepCancelMatching. CancelFD, CancelUserData and CancelOp each name a criterion; a request must match all
// that are set.
const (
	CancelAll      = abi.IORING_ASYNC_CANCEL_ALL      // 5.19: all that match, not only the first one found
	CancelFD       = abi.IORING_ASYNC_CANCEL_FD       // 5.19: the descriptor
	CancelAny      = abi.IORING_ASYNC_CANCEL_ANY      // 5.19: all requests match
	CancelFixed    = abi.IORING_ASYNC_CANCEL_FD_FIXED // 6.0, with CancelFD: fd is an index of the table of files
	CancelUserData = abi.IORING_ASYNC_CANCEL_USERDATA // 6.6: the user data, as without any flag
	CancelOp       = abi.IORING_ASYNC_CANCEL_OP       // 6.6: the opcode
)

// Flags of PrepMsgRingFD and PrepFixedFDInstall, and of PrepSplice and PrepTee beside those of splice(2).
const (
	MsgRingCQESkip   = abi.IORING_MSG_RING_CQE_SKIP   // 6.0: no CQE on the other ring
	FixedFDNoCloexec = abi.IORING_FIXED_FD_NO_CLOEXEC // the descriptor outlives an exec
	SpliceInFixed    = abi.SPLICE_F_FD_IN_FIXED       // the source is an index of the table of files
)

// NotifCopied is IORING_NOTIF_USAGE_ZC_COPIED, a bit in the result of a CQE with CQENotif. After SetReportUsage it says
// that the kernel has copied bytes after all. As an int32 the result is negative then, but not an error.
const NotifCopied = uint32(abi.IORING_NOTIF_USAGE_ZC_COPIED)
