package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Serve sockets: receive
//
// Memory that an op receives into belongs to the kernel until the CQE. At most one receive may be in flight on a
// stream: the kernel may complete two of them in any order, each with bytes.

// PrepRecv fills in a recv(2) (Linux 5.6). p belongs to the kernel until the CQE; flags are MSG_ flags. The result is
// the number of bytes, 0 at the end of the stream. See io_uring_prep_recv(3).
func (e *SQE) PrepRecv(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpRecv, fd, addr, n, 0, flags)
}

// PrepRecvSelect is PrepRecv into a buffer that the kernel takes from the group once there are bytes (Linux 5.7, buffer
// rings 5.19). n limits the number of bytes; 0 means the buffer's size. The CQE has CQEBuffer set and the buffer's id
// in CQE.BufID. ENOBUFS: the group was empty; nothing is lost. With MSG_TRUNC the result is the message's length, which
// may be more than the buffer has: use BufRing.PartsOf then.
func (e *SQE) PrepRecvSelect(fd int, group uint16, n uint32, flags uint32) {
	e.prep(OpRecv, fd, 0, n, 0, flags)
	e.Flags = SQEBufferSelect
	e.BufIndex = group
}

// PrepRecvMultishot fills in a repeated recv (Linux 6.0). Whenever bytes arrive it makes a CQE with a buffer of the
// group, for as long as the CQEs have CQEMore set. The last one may carry bytes, too. MSG_WAITALL is not allowed. See
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
// must be 0, and it sends all available buffers. Don't combine bundles with MSG_TRUNC: the result then no longer says
// which buffers the kernel took.
func (e *SQE) SetBundle() { e.IOPrio |= abi.IORING_RECVSEND_BUNDLE }

// LimitRecv makes a receive that PrepRecvMultishot has prepared end after n bytes, or up to a buffer's size more (Linux
// 6.17; EINVAL before). The CQE that reaches n is its last one.
func (e *SQE) LimitRecv(n uint32) { e.FileIndex = n }

// PrepRecvmsg fills in a recvmsg(2) (Linux 5.3). The kernel writes to msg, a struct msghdr: it and all memory that it
// refers to belong to the kernel until the CQE. See io_uring_prep_recvmsg(3).
func (e *SQE) PrepRecvmsg(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
}

// PrepRecvmsgSelect is PrepRecvmsg into a buffer of the group, as with PrepRecvSelect; msg has no vector. The name and
// the control messages go where msg says. An empty message takes no buffer.
func (e *SQE) PrepRecvmsgSelect(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
	e.Flags = SQEBufferSelect
	e.BufIndex = group
}

// PrepRecvmsgMultishot fills in a repeated recvmsg (Linux 6.0). For every message it makes a CQE with a buffer of the
// group, for as long as the CQEs have CQEMore set. It uses only the lengths of name and control from msg: each buffer
// has that much room for them, before the message's bytes. ParseRecvmsg parses a buffer. An empty message, or the end
// of a stream, makes the last CQE, with a buffer. EFAULT: a buffer has no room for the header, name and control. See
// io_uring_prep_recvmsg_multishot(3).
func (e *SQE) PrepRecvmsgMultishot(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.PrepRecvmsgSelect(fd, msg, group, flags)
	e.IOPrio = abi.IORING_RECV_MULTISHOT
}

// PrepRecvZC fills in a multishot receive without a copy, on a TCP connection (Linux 6.15). The network card puts the
// connection's packets into memory that the program has registered for one of the card's queues by RegisterZCRX. ifq is
// its ZCRX.ID; n limits the bytes in total, 0 means no limit. Each CQE has 32 bytes; ZCRX.Data returns its bytes as a
// slice, and ZCRX.Return gives the memory back. It needs a ring with DEFER_TASKRUN and 32-byte CQEs. EINVAL: not such a
// ring, or no such queue; ENOMEM: no memory is left, see ZCRX.Flush. See io_uring_enter(2), IORING_OP_RECV_ZC.
func (e *SQE) PrepRecvZC(fd int, ifq, n uint32) {
	e.prep(OpRecvZC, fd, 0, n, 0, 0)
	e.IOPrio = abi.IORING_RECV_MULTISHOT
	e.FileIndex = ifq
}
