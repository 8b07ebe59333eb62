package uring

import "ringo/internal/abi"

// PrepFsync fills in an fsync(2) of the whole file (Linux 5.1), or with dataOnly an fdatasync(2). It does not wait for
// writes that are still in flight. See io_uring_prep_fsync(3).
func (e *SQE) PrepFsync(fd int, dataOnly bool) {
	flags := uint32(0)
	if dataOnly {
		flags = abi.IORING_FSYNC_DATASYNC
	}
	e.prep(OpFsync, fd, 0, 0, 0, flags)
}

// PrepFallocate fills in a fallocate(2) (Linux 5.6). See io_uring_prep_fallocate(3).
func (e *SQE) PrepFallocate(fd int, mode uint32, off, n int64) {
	e.prep(OpFallocate, fd, uint64(n), mode, uint64(off), 0)
}

// PrepFtruncate fills in an ftruncate(2) (Linux 6.9). See io_uring_prep_ftruncate(3).
func (e *SQE) PrepFtruncate(fd int, size int64) {
	e.prep(OpFtruncate, fd, 0, 0, uint64(size), 0)
}
