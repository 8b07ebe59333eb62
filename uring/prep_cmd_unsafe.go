package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Commands to drivers, sockets and block devices

// PrepUringCmd fills in a command that the driver of the file defines (Linux 5.19), such as NVMe, ublk or FUSE. Command
// returns the place for the command's bytes. The result's meaning is up to the driver; EOPNOTSUPP: the file has no such
// commands. See io_uring_prep_uring_cmd(3).
func (e *SQE) PrepUringCmd(fd int, cmd uint32) {
	e.prep(OpUringCmd, fd, 0, 0, cmdOp(cmd), 0)
}

// PrepUringCmd128 is PrepUringCmd in an entry of 128 bytes, on a ring with entries of both sizes (Linux 6.19). On a
// ring with only such entries use PrepUringCmd. See io_uring_prep_uring_cmd128(3).
func (e *SQE) PrepUringCmd128(fd int, cmd uint32) {
	e.prep(OpUringCmd128, fd, 0, 0, cmdOp(cmd), 0)
}

// cmdOp puts a command into the first half of the field Off.
func cmdOp(cmd uint32) uint64 {
	if abi.BigEndian {
		return uint64(cmd) << 32
	}
	return uint64(cmd)
}

// Command returns the 16 bytes of an entry that hold a driver's command. They are the entry's own memory, which
// Ring.Close and Ring.Resize unmap.
func (e *SQE) Command() *[16]byte { return (*[16]byte)(unsafe.Pointer(&e.Addr3)) }

// PrepSockUnread fills in a query for the number of unread bytes of a TCP connection, or of a UDP socket's next
// datagram, as SIOCINQ does (Linux 6.7). The number is the result. EOPNOTSUPP: a Unix socket. See
// io_uring_prep_cmd_sock(3).
func (e *SQE) PrepSockUnread(fd int) { e.PrepUringCmd(fd, abi.SOCKET_URING_OP_SIOCINQ) }

// PrepSockUnsent fills in a query for the number of unacknowledged bytes of a TCP connection, or of unsent bytes of a
// UDP socket, as SIOCOUTQ does (Linux 6.7). The number is the result. EOPNOTSUPP: a Unix socket. See
// io_uring_prep_cmd_sock(3).
func (e *SQE) PrepSockUnsent(fd int) { e.PrepUringCmd(fd, abi.SOCKET_URING_OP_SIOCOUTQ) }

// PrepGetsockopt fills in a getsockopt(2) of level SOL_SOCKET (Linux 6.7); other levels end with EOPNOTSUPP. val
// belongs to the kernel until the CQE, whose result is the option's size. See io_uring_prep_cmd_sock(3).
func (e *SQE) PrepGetsockopt(fd int, level, name uint32, val []byte) {
	e.prepSockopt(fd, abi.SOCKET_URING_OP_GETSOCKOPT, level, name, val)
}

// PrepSetsockopt fills in a setsockopt(2) (Linux 6.7). val belongs to the kernel until the CQE. See
// io_uring_prep_cmd_sock(3).
func (e *SQE) PrepSetsockopt(fd int, level, name uint32, val []byte) {
	e.prepSockopt(fd, abi.SOCKET_URING_OP_SETSOCKOPT, level, name, val)
}

func (e *SQE) prepSockopt(fd int, cmd, level, name uint32, val []byte) {
	e.PrepUringCmd(fd, cmd)
	e.Addr = uint64(level) | uint64(name)<<32
	if abi.BigEndian {
		e.Addr = uint64(level)<<32 | uint64(name)
	}
	e.Addr3, e.FileIndex = bytesOf(val)
}

// PrepTxTimestamp makes a socket with SO_TIMESTAMPING report when its packets were sent (Linux 6.17): with one CQE of
// 32 bytes for each, for as long as the CQEs have CQEMore set. The result is the number of the packet, or in a stream
// that of its last byte. It needs a ring with CQEs of 32 bytes. See io_uring_prep_cmd_sock(3).
func (e *SQE) PrepTxTimestamp(fd int) { e.PrepUringCmd(fd, abi.SOCKET_URING_OP_TX_TIMESTAMP) }

// PrepGetsockname fills in a getsockname(2), or with peer a getpeername(2) (Linux 6.19). sa has room for *salen bytes,
// and salen becomes the address's length; both belong to the kernel until the CQE. See
// io_uring_prep_cmd_getsockname(3).
func (e *SQE) PrepGetsockname(fd int, sa unsafe.Pointer, salen *uint32, peer bool) {
	e.PrepUringCmd(fd, abi.SOCKET_URING_OP_GETSOCKNAME)
	e.Addr = ptr(sa)
	e.Addr3 = ptr(unsafe.Pointer(salen))
	if peer {
		e.FileIndex = 1
	}
}

// PrepDiscard makes a block device discard n bytes from off, both multiples of its sector size (Linux 6.12). Do not
// read or write these bytes until the CQE. See io_uring_prep_cmd_discard(3).
func (e *SQE) PrepDiscard(fd int, off, n uint64) {
	e.PrepUringCmd(fd, abi.BLOCK_URING_CMD_DISCARD)
	e.Addr = off
	e.Addr3 = n
}

// PrepZoneResetAll makes a zoned block device empty all its sequential-write zones (Linux 7.0). No other request may be
// in flight on it. See io_uring_prep_cmd_zone_reset_all(3).
func (e *SQE) PrepZoneResetAll(fd int) { e.PrepUringCmd(fd, abi.BLOCK_URING_CMD_ZONE_RESET_ALL) }
