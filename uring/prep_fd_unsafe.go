package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Hand over descriptors
//
// A ring may have a table of files (Ring.RegisterFiles). A file in it needs no descriptor: an op with SQEFixedFile
// takes FD as an index of the table, and an op with SetDirect puts the file that it opens there. Only the ring can use
// such a file, unless PrepFixedFDInstall makes a descriptor for it.

// DirectAlloc, in place of an index, makes the kernel choose an empty place in the table (Linux 5.19).
const DirectAlloc = abi.IORING_FILE_INDEX_ALLOC

// SetDirect makes the op of PrepOpenat, PrepOpenat2, PrepAccept, PrepSocket or PrepPipe, called before, put the file
// into the ring's table of files at this index, instead of returning a descriptor of the process (Linux 5.15). The
// result is then 0, or with DirectAlloc the index. O_CLOEXEC and SOCK_CLOEXEC are not allowed. The kernel closes a file
// that is at the index already. A multishot accept needs DirectAlloc, and a pipe uses the index and the next one.
// ENXIO: there is no table; ENFILE: it is full; EINVAL: it has no such index. See io_uring_prep_openat_direct(3).
func (e *SQE) SetDirect(index uint32) {
	if index != DirectAlloc {
		index = place(index)
	}
	e.FileIndex = index
}

// place converts an index of the table to the kernel's, which counts from 1. An index that is really an error code must
// not become 0, which means a descriptor of the process, nor DirectAlloc: place makes it an index that no table has.
func place(index uint32) uint32 { return min(index, DirectAlloc-2) + 1 }

// PrepClose fills in a close(2) (Linux 5.6). It does not cancel requests in flight on the descriptor: they keep the
// file open. EBADF: also for the descriptor of a ring. See io_uring_prep_close(3).
func (e *SQE) PrepClose(fd int) {
	e.prep(OpClose, fd, 0, 0, 0, 0)
}

// PrepCloseDirect fills in the removal of a file from the ring's table of files (Linux 5.15). Requests that use the
// file keep it open. EBADF: the place is empty; ENXIO: there is no table; EINVAL: it has no such index. See
// io_uring_prep_close_direct(3).
func (e *SQE) PrepCloseDirect(index uint32) {
	e.prep(OpClose, 0, 0, 0, 0, 0)
	e.FileIndex = place(index)
}

// PrepFilesUpdate is Ring.UpdateFiles as an op (Linux 5.6): it puts fds into the table from index on; -1 empties a
// place. With DirectAlloc (Linux 5.19) each gets an empty place, whose index the kernel stores in fds. fds belongs to
// the kernel until the CQE; the result is how many were updated. See io_uring_prep_files_update(3).
func (e *SQE) PrepFilesUpdate(fds []int32, index uint32) {
	off := uint64(index)
	if index == DirectAlloc {
		off = 1<<64 - 1
	}
	e.prep(OpFilesUpdate, -1, ptr(unsafe.Pointer(unsafe.SliceData(fds))), uint32(len(fds)), off, 0)
}

// PrepFixedFDInstall makes a descriptor of the process for the file at this index of the ring's table (Linux 6.8). The
// result is the descriptor, which is close-on-exec unless flags has FixedFDNoCloexec. The table keeps the file. See
// io_uring_prep_fixed_fd_install(3).
func (e *SQE) PrepFixedFDInstall(index int, flags uint32) {
	e.prep(OpFixedFDInstall, index, 0, 0, 0, flags)
	e.Flags = SQEFixedFile
}

// PrepMsgRingFD gives another ring the file at index from of this ring's table (Linux 6.0); both rings have the file
// then. to is the index in the other ring's table, or DirectAlloc; the result is 0, or the index that was allocated. A
// CQE with that result and this user data appears on the other ring, unless flags has MsgRingCQESkip. ringFD is the
// other ring's FD. EBADF: from is empty; ENXIO: a ring has no table; EINVAL: the rings are the same. See
// io_uring_prep_msg_ring_fd(3).
func (e *SQE) PrepMsgRingFD(ringFD int, from, to uint32, userData uint64, flags uint32) {
	e.prep(OpMsgRing, ringFD, abi.IORING_MSG_SEND_FD, 0, userData, flags)
	e.Addr3 = uint64(from)
	e.SetDirect(to)
}
