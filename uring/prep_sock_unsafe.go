package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// PrepAccept fills in an accept4(2) (Linux 5.5). The CQE's result is the new descriptor. flags are SOCK_CLOEXEC and
// SOCK_NONBLOCK. See io_uring_prep_accept(3).
func (e *SQE) PrepAccept(fd int, flags uint32) {
	e.prep(OpAccept, fd, 0, 0, 0, flags)
}

// PrepAcceptAddr is PrepAccept that also writes the peer's address to sa, a sockaddr with room for *salen bytes, and
// its length to salen. Both belong to the kernel until the CQE. (Linux 5.5)
func (e *SQE) PrepAcceptAddr(fd int, sa unsafe.Pointer, salen *uint32, flags uint32) {
	e.prep(OpAccept, fd, ptr(sa), 0, ptr(unsafe.Pointer(salen)), flags)
}

// PrepAcceptMultishot fills in an accept that makes one CQE per connection for as long as they have CQEMore set
// (Linux 5.19). Ask getpeername(2) for the address. See io_uring_prep_multishot_accept(3).
func (e *SQE) PrepAcceptMultishot(fd int, flags uint32) {
	e.prep(OpAccept, fd, 0, 0, 0, flags)
	e.IOPrio = abi.IORING_ACCEPT_MULTISHOT
}

// PrepConnect fills in a connect(2) (Linux 5.5) to the sockaddr sa of salen bytes, which the kernel copies when it
// consumes the entry. See io_uring_prep_connect(3).
func (e *SQE) PrepConnect(fd int, sa unsafe.Pointer, salen uint32) {
	e.prep(OpConnect, fd, ptr(sa), 0, uint64(salen), 0)
}

// PrepRecv fills in a recv(2) (Linux 5.6). p belongs to the kernel until the CQE; flags are MSG_ flags. The result is
// the number of bytes, 0 at the end of the stream. See io_uring_prep_recv(3).
func (e *SQE) PrepRecv(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpRecv, fd, addr, n, 0, flags)
}

// PrepRecvSelect is PrepRecv into a buffer that the kernel takes from the group when bytes are there (Linux 5.7, buffer
// rings 5.19). n bounds the bytes, 0: the buffer's size. The CQE has CQEBuffer set and the buffer's id in CQE.BufID.
// ENOBUFS: the group was empty; nothing is lost.
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

// LimitRecv has a receive of PrepRecvMultishot, called before, end by itself when it has brought n bytes, or a buffer's
// worth more (Linux 6.17; EINVAL before). The CQE that reaches n is its last one.
func (e *SQE) LimitRecv(n uint32) { e.FileIndex = n }

// PrepSend fills in a send(2) (Linux 5.6). p belongs to the kernel until the CQE. The count may be short; with
// MSG_WAITALL (Linux 5.19) only an error makes it so. To a closed peer the error is EPIPE, without a signal. See
// io_uring_prep_send(3).
func (e *SQE) PrepSend(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpSend, fd, addr, n, 0, flags)
}

// PrepSendZC fills in a send(2) that does not copy (Linux 6.0). Its first CQE has the count or an error and, with
// CQEMore, says that a second one follows: with CQENotif, when the kernel, the network and whoever acknowledges are
// done with p, which is theirs until then, also after an error. Without CQEMore nothing follows. EOPNOTSUPP: not on
// this kind of socket; ENOMEM: the pages count against RLIMIT_MEMLOCK. Where the receiver is on the same machine the
// kernel copies all the same. See io_uring_prep_send_zc(3).
func (e *SQE) PrepSendZC(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpSendZC, fd, addr, n, 0, flags)
}

// PrepSendmsg fills in a sendmsg(2) (Linux 5.3). msg is a struct msghdr (syscall.Msghdr on Linux); it may be reused
// once the entry is consumed, what it points to belongs to the kernel until the CQE. See io_uring_prep_sendmsg(3).
func (e *SQE) PrepSendmsg(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpSendmsg, fd, ptr(msg), 1, 0, flags)
}

// PrepRecvmsg fills in a recvmsg(2) (Linux 5.3). msg, a struct msghdr, is written to: it and all it points to belong to
// the kernel until the CQE. See io_uring_prep_recvmsg(3).
func (e *SQE) PrepRecvmsg(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
}

// PrepRecvmsgSelect is PrepRecvmsg into a buffer of the group, as PrepRecvSelect; msg has no vector. Name and control
// messages go where msg says, and a message of no bytes takes no buffer.
func (e *SQE) PrepRecvmsgSelect(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.prep(OpRecvmsg, fd, ptr(msg), 1, 0, flags)
	e.Flags = SQEBufferSelect
	e.BufIndex = group
}

// PrepRecvmsgMultishot fills in a recvmsg that makes a CQE, each with a buffer of the group, for every message, for as
// long as the CQEs have CQEMore set (Linux 6.0). Of msg only the lengths of name and control count: so much room is
// left for them in each buffer, in front of the bytes. ParseRecvmsg reads what is there. A message of no bytes, and the
// end of a stream, are the last CQE, with a buffer. Where a buffer has no room for the front the error is EFAULT. See
// io_uring_prep_recvmsg_multishot(3).
func (e *SQE) PrepRecvmsgMultishot(fd int, msg unsafe.Pointer, group uint16, flags uint32) {
	e.PrepRecvmsgSelect(fd, msg, group, flags)
	e.IOPrio = abi.IORING_RECV_MULTISHOT
}

// PrepShutdown fills in a shutdown(2) (Linux 5.11); how is SHUT_RD, SHUT_WR or SHUT_RDWR. The kernel runs it on a
// worker thread, so the plain system call is cheaper where order allows it. See io_uring_prep_shutdown(3).
func (e *SQE) PrepShutdown(fd, how int) {
	e.prep(OpShutdown, fd, 0, uint32(how), 0, 0)
}

// PrepSocket fills in a socket(2) (Linux 5.19); the result is the descriptor. See io_uring_prep_socket(3).
func (e *SQE) PrepSocket(domain, typ, protocol int) {
	e.prep(OpSocket, domain, 0, uint32(protocol), uint64(typ), 0)
}
