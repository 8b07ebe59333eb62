package uring

import "ringo/internal/abi"

// A CQE is a completion queue entry: one result of a request.
type CQE struct {
	UserData uint64 // the SQE's
	Res      int32  // ≥ 0: the op's result; < 0: a negated errno
	Flags    uint32 // CQEMore and the like; the upper half is the buffer's id
}

// The flags of a CQE. Bits not named here are reserved.
const (
	// CQEBuffer is IORING_CQE_F_BUFFER (Linux 5.7): a buffer was taken from the group, CQE.BufID says which.
	CQEBuffer = abi.IORING_CQE_F_BUFFER
	// CQEMore is IORING_CQE_F_MORE (Linux 5.13): the request continues and will make more CQEs.
	CQEMore = abi.IORING_CQE_F_MORE
	// CQESockNonempty is IORING_CQE_F_SOCK_NONEMPTY (Linux 5.19): the socket has more data, or its end.
	CQESockNonempty = abi.IORING_CQE_F_SOCK_NONEMPTY
	// CQENotif is IORING_CQE_F_NOTIF (Linux 6.0): the buffer of a zero-copy send is free.
	CQENotif = abi.IORING_CQE_F_NOTIF
	// CQEBufMore is IORING_CQE_F_BUF_MORE (Linux 6.12): the kernel still owns the rest of the buffer.
	CQEBufMore = abi.IORING_CQE_F_BUF_MORE
)

// BufID returns the id of the buffer that the kernel picked; it is valid only with CQEBuffer.
func (c CQE) BufID() uint16 { return uint16(c.Flags >> abi.IORING_CQE_BUFFER_SHIFT) }

// More reports whether the request continues. If it does not, this is its last CQE, and the program owns its memory
// again.
func (c CQE) More() bool { return c.Flags&CQEMore != 0 }
