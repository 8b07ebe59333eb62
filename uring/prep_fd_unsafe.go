package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Hand over descriptors
//
// A ring may have a table of files (Ring.RegisterFiles). What is in it needs no descriptor: an op that has SQEFixedFile
// set takes FD for an index of the table, and one with SetDirect puts there what it opens. Such files are out of reach
// for all but the ring, until PrepFixedFDInstall.

// DirectAlloc, in place of an index, makes the kernel choose a free place in the table (Linux 5.19).
const DirectAlloc = abi.IORING_FILE_INDEX_ALLOC

// SetDirect makes the op of PrepOpenat, PrepOpenat2, PrepAccept, PrepSocket or PrepPipe, called before, put the file
// into the ring's table of files at this index, instead of returning a descriptor of the process (Linux 5.15). The
// result is 0 then; with DirectAlloc it is the index. O_CLOEXEC and SOCK_CLOEXEC are not allowed. A file at the index
// is closed. A multishot accept needs DirectAlloc, and a pipe uses the index and the next one. ENXIO: there is no
// table; ENFILE: it is full; EINVAL: it has no such index. See io_uring_prep_openat_direct(3).
func (e *SQE) SetDirect(index uint32) {
	if index != DirectAlloc {
		index = place(index)
	}
	e.FileIndex = index
}

// place is an index of the table as the kernel has it, which counts from 1. An error that was taken for an index must
// not become 0, which is no table but the process's own, or DirectAlloc: it becomes one that no table has.
func place(index uint32) uint32 { return min(index, DirectAlloc-2) + 1 }

// PrepClose fills in a close(2) (Linux 5.6). It does not cancel requests in flight on the descriptor: they keep the
// file open. It also fails with EBADF for a ring. See io_uring_prep_close(3).
func (e *SQE) PrepClose(fd int) {
	e.prep(OpClose, fd, 0, 0, 0, 0)
}

// PrepCloseDirect empties a place of the ring's table of files (Linux 5.15). Requests that use the file hold it open.
// EBADF: the place is empty; ENXIO: there is no table; EINVAL: it has no such index. See
// io_uring_prep_close_direct(3).
func (e *SQE) PrepCloseDirect(index uint32) {
	e.prep(OpClose, 0, 0, 0, 0, 0)
	e.FileIndex = place(index)
}

// PrepFilesUpdate is Ring.UpdateFiles as an op (Linux 5.6): fds go into the table from index on, -1 empties a place.
// With DirectAlloc (Linux 5.19) each gets a free place, whose index replaces it in fds. fds belongs to the kernel until
// the CQE; the result is how many were updated. See io_uring_prep_files_update(3).
func (e *SQE) PrepFilesUpdate(fds []int32, index uint32) {
	off := uint64(index)
	if index == DirectAlloc {
		off = 1<<64 - 1
	}
	e.prep(OpFilesUpdate, -1, ptr(unsafe.Pointer(unsafe.SliceData(fds))), uint32(len(fds)), off, 0)
}

// PrepFixedFDInstall gives the process a descriptor of the file at this index of the ring's table (Linux 6.8); it is
// the result, and set close-on-exec unless flags has FixedFDNoCloexec. The table keeps the file. See
// io_uring_prep_fixed_fd_install(3).
func (e *SQE) PrepFixedFDInstall(index int, flags uint32) {
	e.prep(OpFixedFDInstall, index, 0, 0, 0, flags)
	e.Flags = SQEFixedFile
}

// PrepMsgRingFD gives another ring the file at index from of this ring's table, for index to of its own table, or
// DirectAlloc (Linux 6.0). The result is 0, or the index that was allocated; a CQE with it and this user data appears
// on the other ring unless flags has MsgRingCQESkip. Both have the file then. ringFD is the other ring's FD. EBADF:
// from is empty; ENXIO: a ring has no table; EINVAL: the rings are the same. See io_uring_prep_msg_ring_fd(3).
func (e *SQE) PrepMsgRingFD(ringFD int, from, to uint32, userData uint64, flags uint32) {
	e.prep(OpMsgRing, ringFD, abi.IORING_MSG_SEND_FD, 0, userData, flags)
	e.Addr3 = uint64(from)
	e.SetDirect(to)
}
