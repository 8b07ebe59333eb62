package uring

import (
	"math"
	"unsafe"

	"ringo/internal/abi"
)

// # Read and write files
//
// Memory that an op reads into or writes from belongs to the kernel until the CQE. The result is the number of bytes,
// which may be short, as with the system call of the same name. off is the offset in the file; -1 means the file's own
// position, and is what pipes, sockets and terminals need.
//
// A vector is the address of n structs iovec (syscall.Iovec), 1024 at most. The kernel copies it when it consumes the
// entry (FeatSubmitStable); the memory that it refers to belongs to the kernel until the CQE.

// PrepRead fills in a pread(2) (Linux 5.6). p belongs to the kernel until the CQE. off -1 means the file's own
// position; use it for pipes and sockets, too. See io_uring_prep_read(3).
func (e *SQE) PrepRead(fd int, p []byte, off int64) {
	addr, n := bytesOf(p)
	e.prep(OpRead, fd, addr, n, uint64(off), 0)
}

// PrepReadSelect is PrepRead into a buffer that the kernel takes from the group once there are bytes (Linux 5.7, buffer
// rings 5.19). n limits the number of bytes; 0 means the buffer's size. CQE.BufID returns the buffer; for files and
// incremental buffers see BufRing.PartsOf. ENOBUFS: the group was empty; nothing is lost.
func (e *SQE) PrepReadSelect(fd int, group uint16, n uint32, off int64) {
	e.prep(OpRead, fd, 0, n, uint64(off), 0)
	e.SetBufGroup(group)
}

// PrepReadMultishot fills in a repeated read of a pipe, a terminal or anything else that can be polled (Linux 6.7).
// Whenever there are bytes it makes a CQE with a buffer of the group, for as long as the CQEs have CQEMore set. A
// result of 0 is the end. ENOBUFS: the group was empty, and nothing is lost; EBADFD: the file can't be polled, for
// instance because it is on a disk. See io_uring_prep_read_multishot(3).
func (e *SQE) PrepReadMultishot(fd int, group uint16) {
	e.prep(OpReadMultishot, fd, 0, 0, math.MaxUint64, 0)
	e.SetBufGroup(group)
}

// PrepReadv fills in a preadv(2) (Linux 5.1); SetRWFlags makes it a preadv2(2). vec is the address of n structs iovec;
// the memory that they refer to belongs to the kernel until the CQE. off is as for PrepRead. See
// io_uring_prep_readv(3).
func (e *SQE) PrepReadv(fd int, vec unsafe.Pointer, n int, off int64) {
	e.prep(OpReadv, fd, ptr(vec), uint32(n), uint64(off), 0)
}

// PrepReadFixed is PrepRead into memory inside the registered buffer with this index (Linux 5.1). With O_DIRECT this
// saves the kernel from finding and pinning the pages for each request. EFAULT: p is not inside the buffer, or there is
// no such buffer. See io_uring_prep_read_fixed(3).
func (e *SQE) PrepReadFixed(fd int, p []byte, off int64, buffer uint16) {
	addr, n := bytesOf(p)
	e.prep(OpReadFixed, fd, addr, n, uint64(off), 0)
	e.BufIndex = buffer
}

// PrepReadvFixed is PrepReadv into pieces of the registered buffer with this index (Linux 6.15). See
// io_uring_prep_readv_fixed(3).
func (e *SQE) PrepReadvFixed(fd int, vec unsafe.Pointer, n int, off int64, buffer uint16) {
	e.prep(OpReadvFixed, fd, ptr(vec), uint32(n), uint64(off), 0)
	e.BufIndex = buffer
}

// PrepWrite fills in a pwrite(2) (Linux 5.6), with p and off as for PrepRead. Use PrepSend for sockets: a write to one
// whose peer is gone raises SIGPIPE. See io_uring_prep_write(3).
func (e *SQE) PrepWrite(fd int, p []byte, off int64) {
	addr, n := bytesOf(p)
	e.prep(OpWrite, fd, addr, n, uint64(off), 0)
}

// PrepWritev fills in a pwritev(2) (Linux 5.1), with vec, n and off as for PrepReadv. See io_uring_prep_writev(3).
func (e *SQE) PrepWritev(fd int, vec unsafe.Pointer, n int, off int64) {
	e.prep(OpWritev, fd, ptr(vec), uint32(n), uint64(off), 0)
}

// PrepWriteFixed is PrepWrite from memory inside a registered buffer (Linux 5.1), otherwise like PrepReadFixed. See
// io_uring_prep_write_fixed(3).
func (e *SQE) PrepWriteFixed(fd int, p []byte, off int64, buffer uint16) {
	addr, n := bytesOf(p)
	e.prep(OpWriteFixed, fd, addr, n, uint64(off), 0)
	e.BufIndex = buffer
}

// PrepWritevFixed is PrepWritev from pieces of a registered buffer (Linux 6.15), otherwise like PrepReadvFixed. See
// io_uring_prep_writev_fixed(3).
func (e *SQE) PrepWritevFixed(fd int, vec unsafe.Pointer, n int, off int64, buffer uint16) {
	e.prep(OpWritevFixed, fd, ptr(vec), uint32(n), uint64(off), 0)
	e.BufIndex = buffer
}

// SetRWFlags gives a read or write, prepared before, the RWF_ flags of preadv2(2): RWF_NOWAIT, RWF_DSYNC and the like
// (Linux 5.1). EOPNOTSUPP: the file does not support them.
func (e *SQE) SetRWFlags(flags uint32) { e.OpFlags = flags }

// SetIntegrity sets the protection information of an O_DIRECT read or write, prepared before (Linux 6.14, FeatRWAttr).
// The kernel copies pi when it consumes the entry; the bytes that pi refers to belong to the kernel until the CQE.
// EINVAL: the device does not support it.
func (e *SQE) SetIntegrity(pi *Integrity) {
	e.Addr3 = ptr(unsafe.Pointer(pi))
	e.AttrMask = abi.IORING_RW_ATTR_FLAG_PI
}

// An Integrity is the kernel's struct io_uring_attr_pi: where the protection information of a read or write lies, and
// how the kernel checks it, by the IO_INTEGRITY_ flags of linux/fs.h.
type Integrity struct {
	Flags  uint16
	AppTag uint16
	Len    uint32
	Addr   uint64
	Seed   uint64
	_      uint64
}

// SetInfo makes p the protection information; p belongs to the kernel until the CQE.
func (pi *Integrity) SetInfo(p []byte) { pi.Addr, pi.Len = bytesOf(p) }

// PrepFsync fills in an fsync(2) of the whole file (Linux 5.1), or with dataOnly an fdatasync(2). It does not wait for
// writes that are still in flight. To sync only a range, set Off and Len afterwards. See io_uring_prep_fsync(3).
func (e *SQE) PrepFsync(fd int, dataOnly bool) {
	flags := uint32(0)
	if dataOnly {
		flags = abi.IORING_FSYNC_DATASYNC
	}
	e.prep(OpFsync, fd, 0, 0, 0, flags)
}

// PrepSyncFileRange fills in a sync_file_range(2) of n bytes from off; n 0 means to the end (Linux 5.2). Depending on
// the SYNC_FILE_RANGE_ flags it starts writing the pages out, or waits until they are written. It makes only the pages'
// bytes durable. See io_uring_prep_sync_file_range(3).
func (e *SQE) PrepSyncFileRange(fd int, off int64, n uint32, flags uint32) {
	e.prep(OpSyncFileRange, fd, 0, n, uint64(off), flags)
}

// PrepFallocate fills in a fallocate(2) (Linux 5.6); mode is 0 or FALLOC_FL_ flags. See io_uring_prep_fallocate(3).
func (e *SQE) PrepFallocate(fd int, mode uint32, off, n int64) {
	e.prep(OpFallocate, fd, uint64(n), mode, uint64(off), 0)
}

// PrepFtruncate fills in an ftruncate(2) (Linux 6.9). See io_uring_prep_ftruncate(3).
func (e *SQE) PrepFtruncate(fd int, size int64) {
	e.prep(OpFtruncate, fd, 0, 0, uint64(size), 0)
}

// PrepFadvise fills in a posix_fadvise(2) (Linux 5.6) for n bytes from off; n 0 means to the end, and 4 GiB or more
// need Linux 6.10. advice is a POSIX_FADV_ constant. See io_uring_prep_fadvise64(3).
func (e *SQE) PrepFadvise(fd int, off, n int64, advice uint32) {
	if n >= 0 && n <= math.MaxUint32 {
		e.prep(OpFadvise, fd, 0, uint32(n), uint64(off), advice)
		return
	}
	e.prep(OpFadvise, fd, uint64(n), 0, uint64(off), advice)
}

// PrepMadvise fills in a madvise(2) (Linux 5.6) for mapped memory that begins on a page; 4 GiB or more need Linux 6.10.
// advice is an MADV_ constant. See io_uring_prep_madvise64(3).
func (e *SQE) PrepMadvise(mem []byte, advice uint32) {
	addr, n := ptr(unsafe.Pointer(unsafe.SliceData(mem))), uint64(len(mem))
	if n <= math.MaxUint32 {
		e.prep(OpMadvise, -1, addr, uint32(n), 0, advice)
		return
	}
	e.prep(OpMadvise, -1, addr, 0, n, advice)
}
