package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Serve sockets: send
//
// Memory that an op sends from belongs to the kernel until the CQE, and for zero-copy sends until the notification. At
// most one send may be in flight on a stream; otherwise the bytes of several sends mix.

// PrepSend fills in a send(2) (Linux 5.6). p belongs to the kernel until the CQE. The count may be short; with
// MSG_WAITALL (Linux 5.19) only an error makes it short. If the peer has closed, the error is EPIPE, without a signal.
// See io_uring_prep_send(3).
func (e *SQE) PrepSend(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpSend, fd, addr, n, 0, flags)
}

// PrepSendSelect is PrepSend of a buffer that the kernel takes from the group once the socket has room (Linux 6.10). n
// limits the number of bytes; 0 means as many as the buffer holds. CQE.BufID returns the buffer. Sends from one group
// go out in the order in which the buffers were lent, so more than one may be in flight. ENOBUFS: the group was empty.
func (e *SQE) PrepSendSelect(fd int, group uint16, n, flags uint32) {
	e.prep(OpSend, fd, 0, n, 0, flags)
	e.SetBufGroup(group)
}

// PrepSendv is PrepSend of n pieces (Linux 6.17), with vec as for PrepWritev. It saves the msghdr of PrepSendmsg.
func (e *SQE) PrepSendv(fd int, vec unsafe.Pointer, n int, flags uint32) {
	e.prep(OpSend, fd, ptr(vec), uint32(n), 0, flags)
	e.IOPrio = abi.IORING_SEND_VECTORIZED
}

// SetAddr sets the destination of a send that PrepSend (Linux 6.1) or PrepSendZC (Linux 6.0) has prepared, to the
// sockaddr sa of salen bytes, as sendto(2) does. The kernel copies it when it consumes the entry. See
// io_uring_prep_send_set_addr(3).
func (e *SQE) SetAddr(sa unsafe.Pointer, salen uint16) {
	e.Off = ptr(sa)
	e.FileIndex = uint32(salen)
	if abi.BigEndian {
		e.FileIndex <<= 16 // the length is in the first two of the four bytes
	}
}

// PrepSendZC fills in a zero-copy send(2) (Linux 6.0). Its first CQE has the count or an error. If that CQE has
// CQEMore, a second one follows, with CQENotif, once the kernel and the network have released p, which belongs to them
// until then, even after an error. Without CQEMore nothing follows. EOPNOTSUPP: not on this kind of socket; ENOMEM: the
// pages count against RLIMIT_MEMLOCK. If the receiver is on the same machine, the kernel copies anyway. See
// io_uring_prep_send_zc(3).
func (e *SQE) PrepSendZC(fd int, p []byte, flags uint32) {
	addr, n := bytesOf(p)
	e.prep(OpSendZC, fd, addr, n, 0, flags)
}

// PrepSendvZC is PrepSendZC of n pieces (Linux 6.17), with vec as for PrepWritev.
func (e *SQE) PrepSendvZC(fd int, vec unsafe.Pointer, n int, flags uint32) {
	e.prep(OpSendZC, fd, ptr(vec), uint32(n), 0, flags)
	e.IOPrio = abi.IORING_SEND_VECTORIZED
}

// PrepSendmsgZC is PrepSendmsg without a copy (Linux 6.1), with CQEs as for PrepSendZC: the memory that msg refers to
// belongs to the kernel until the notification. See io_uring_prep_sendmsg_zc(3).
func (e *SQE) PrepSendmsgZC(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpSendmsgZC, fd, ptr(msg), 1, 0, flags)
}

// SetFixedBuf makes an entry, prepared before, use memory inside the registered buffer with this index. It works for
// zero-copy sends (PrepSendZC since Linux 6.0, PrepSendmsgZC since 6.15, PrepSendvZC not yet) and driver commands
// (Linux 6.0). It also works for a plain send in Linux 7.2, with EINVAL in 6.18. All pieces of a send must lie in the
// buffer, otherwise the error is EFAULT. See io_uring_prep_send_zc_fixed(3).
func (e *SQE) SetFixedBuf(buffer uint16) {
	e.BufIndex = buffer
	if e.Op == OpUringCmd || e.Op == OpUringCmd128 {
		e.OpFlags |= abi.IORING_URING_CMD_FIXED
		return
	}
	e.IOPrio |= abi.IORING_RECVSEND_FIXED_BUF
}

// SetReportUsage makes the notification of a zero-copy send, prepared before, report whether the kernel has copied
// bytes after all: its result then has NotifCopied set (Linux 6.2).
func (e *SQE) SetReportUsage() { e.IOPrio |= abi.IORING_SEND_ZC_REPORT_USAGE }

// PrepSendmsg fills in a sendmsg(2) (Linux 5.3). msg is a struct msghdr (syscall.Msghdr on Linux). It may be reused
// once the kernel has consumed the entry; the memory that it refers to belongs to the kernel until the CQE. See
// io_uring_prep_sendmsg(3).
func (e *SQE) PrepSendmsg(fd int, msg unsafe.Pointer, flags uint32) {
	e.prep(OpSendmsg, fd, ptr(msg), 1, 0, flags)
}
