package uring

import "unsafe"

// PrepPipe fills in a pipe2(2) (Linux 6.16). The kernel stores the read end and the write end in fds, which belongs to
// it until the CQE. With SetDirect the ends go to two consecutive indices of the table of files instead. flags are
// O_CLOEXEC, O_NONBLOCK and O_DIRECT. See io_uring_prep_pipe(3).
func (e *SQE) PrepPipe(fds *[2]int32, flags uint32) {
	e.prep(OpPipe, 0, ptr(unsafe.Pointer(fds)), 0, 0, flags)
}
