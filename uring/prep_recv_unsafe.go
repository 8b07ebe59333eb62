package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Serve sockets: receive
//
// Memory that is received into belongs to the kernel until the CQE. At most one receive may be in flight on a stream:
// two of them may be answered in any order, and each with bytes.

// PrepRecv fills in a recv(2) (Linux 5.6). p belongs to the kernel until the CQE; flags are MSG_ flags. The result is
// the number of bytes, 0 at the end of the stream. See io_uring_prep_recv(3).
func (e *SQE) PrepRecv(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpRecv, fd, addr, n, 0, flags)
}

// PrepRecvSelect is PrepRecv into a buffer that the kernel takes from the group when bytes are there (Linux 5.7, buffer
// rings 5.19). n bounds the bytes, 0: the buffer's size. The CQE has CQEBuffer set and the buffer's id in CQE.BufID.
// ENOBUFS: the group was empty; nothing is lost. With MSG_TRUNC the result is the message's length, which may be more
// than the buffer has: BufRing.PartsOf knows.
func (e *SQE) PrepRecvSelect(fd int, group uint16, n uint32, flags uint32) {
	e.prep(OpRecv, fd, 0, n, 0, flags)
	e.Flags = SQEBufferSelect
	e.BufIndex = group
}

// PrepRecvMultishot fills in a recv that makes a CQE, each with a buffer of the group, whenever bytes come, for as long
// as the CQEs have CQEMore set (Linux 6.0). The last one may carry bytes, too. MSG_WAITALL is not allowed. See
// io_uring_prep_recv_multishot(3).
func (e *SQE) PrepRecvMultishot(fd int, group uint16, flags uint32) {
	e.prep(OpRecv, fd, 0, 0, 0, flags)
	e.Flags = SQEBufferSelect
	e.IOPrio = abi.IORING_RECV_MULTISHOT
	e.BufIndex = group
}

// SetBundle lets a receive or send that picks buffers from a buffer ring, prepared before, use several of them for one
// CQE (Linux 6.10, FeatRecvSendBundle). The result is the total number of bytes; they are in the buffer of CQE.BufID
// and those lent after it, in order, each full except the last. A receive need not take all available bytes. A send's n
// must be 0, and it sends all available buffers. MSG_TRUNC is not for bundles: the result no longer says which buffers
// were taken.
func (e *SQE) SetBundle() { e.IOPrio |= abi.IORING_RECVSEND_BUNDLE }

// LimitRecv makes a receive of PrepRecvMultishot, called before, end after n bytes, or up to a buffer's size more
// (Linux 6.17; EINVAL before). The CQE that reaches n is its last one.
func (e *SQE) LimitRecv(n uint32) { e.FileIndex = n }

// PrepRecvmsg fills in a recvmsg(2) (Linux 5.3). msg, a struct msghdr, is written to: it and all it points to belong to
// the kernel until the CQE. See io_uring_prep_recvmsg(3).
func (e *SQE) PrepRecvmsg(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
}

// PrepRecvmsgSelect is PrepRecvmsg into a buffer of the group, as PrepRecvSelect; msg has no vector. Name and control
// messages go where msg says, and an empty message takes no buffer.
func (e *SQE) PrepRecvmsgSelect(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
	e.Flags = SQEBufferSelect
	e.BufIndex = group
}

// PrepRecvmsgMultishot fills in a recvmsg that makes a CQE, each with a buffer of the group, for every message, for as
// long as the CQEs have CQEMore set (Linux 6.0). Of msg only the lengths of name and control count: each buffer has
// that much room for them, in front of the bytes. ParseRecvmsg parses a buffer. An empty message, or the end of a
// stream, makes the last CQE, with a buffer. If a buffer has no room for the part in front, the error is EFAULT. See
// io_uring_prep_recvmsg_multishot(3).
func (e *SQE) PrepRecvmsgMultishot(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.PrepRecvmsgSelect(fd, msg, group, flags)
	e.IOPrio = abi.IORING_RECV_MULTISHOT
}

// PrepRecvZC fills in a receive that does not copy, multishot, of a TCP connection whose packets the network card puts
// into memory that the program has registered for one of its queues, by RegisterZCRX (Linux 6.15). ifq is its ZCRX.ID;
// n bounds the bytes in all, 0: no bound. Each CQE has 32 bytes; ZCRX.Data makes a slice of them, and ZCRX.Return gives
// the memory back. It needs a ring with DEFER_TASKRUN and 32-byte CQEs. EINVAL: not such a ring, or no such queue;
// ENOMEM: no memory is left, see ZCRX.Flush. See io_uring_enter(2), IORING_OP_RECV_ZC.
func (e *SQE) PrepRecvZC(fd int, ifq, n uint32) {
	e.prep(OpRecvZC, fd, 0, n, 0, 0)
	e.IOPrio = abi.IORING_RECV_MULTISHOT
	e.FileIndex = ifq
}
