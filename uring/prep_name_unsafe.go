package uring

import "unsafe"

// # Open, look up and rename
//
// A path ends with a NUL. It belongs to the kernel until the entry was submitted, or, without FeatSubmitStable, until
// the CQE. A relative path starts at the directory dir; AT_FDCWD means the working directory.

// openHowSize is the size of the struct open_how that PrepOpenat2 passes.
const openHowSize = 24

// PrepOpenat fills in an openat(2) (Linux 5.6). The result is the descriptor, unless SetDirect puts the file into the
// table of files. Unlike os.Open it adds no O_CLOEXEC. A kernel thread does the opening if the file is not in the
// kernel's caches, or is created or truncated. See io_uring_prep_openat(3).
func (e *SQE) PrepOpenat(dir int, path []byte, flags, mode uint32) {
	addr, _ := bytesOf(path)
	e.prep(OpOpenat, dir, addr, mode, 0, flags)
}

// PrepOpenat2 fills in an openat2(2) (Linux 5.6), otherwise like PrepOpenat. how is the address of a struct open_how,
// which belongs to the kernel for as long as the path does. See io_uring_prep_openat2(3).
func (e *SQE) PrepOpenat2(dir int, path []byte, how unsafe.Pointer) {
	addr, _ := bytesOf(path)
	e.prep(OpOpenat2, dir, addr, openHowSize, ptr(how), 0)
}

// PrepStatx fills in a statx(2) (Linux 5.6). st is the address of a struct statx, which belongs to the kernel until the
// CQE. See io_uring_prep_statx(3).
func (e *SQE) PrepStatx(dir int, path []byte, flags, mask uint32, st unsafe.Pointer) {
	addr, _ := bytesOf(path)
	e.prep(OpStatx, dir, addr, mask, ptr(st), flags)
}

// PrepMkdirat fills in a mkdirat(2) (Linux 5.15). See io_uring_prep_mkdirat(3).
func (e *SQE) PrepMkdirat(dir int, path []byte, mode uint32) {
	addr, _ := bytesOf(path)
	e.prep(OpMkdirat, dir, addr, mode, 0, 0)
}

// PrepUnlinkat fills in an unlinkat(2) (Linux 5.11). See io_uring_prep_unlinkat(3).
func (e *SQE) PrepUnlinkat(dir int, path []byte, flags uint32) {
	addr, _ := bytesOf(path)
	e.prep(OpUnlinkat, dir, addr, 0, 0, flags)
}

// PrepRenameat fills in a renameat2(2) (Linux 5.11). See io_uring_prep_renameat(3).
func (e *SQE) PrepRenameat(dir int, path []byte, toDir int, to []byte, flags uint32) {
	addr, _ := bytesOf(path)
	addr2, _ := bytesOf(to)
	e.prep(OpRenameat, dir, addr, uint32(toDir), addr2, flags)
}

// PrepLinkat fills in a linkat(2) (Linux 5.15). See io_uring_prep_linkat(3).
func (e *SQE) PrepLinkat(dir int, path []byte, toDir int, to []byte, flags uint32) {
	addr, _ := bytesOf(path)
	addr2, _ := bytesOf(to)
	e.prep(OpLinkat, dir, addr, uint32(toDir), addr2, flags)
}

// PrepSymlinkat fills in a symlinkat(2) (Linux 5.15). See io_uring_prep_symlinkat(3).
func (e *SQE) PrepSymlinkat(target []byte, dir int, path []byte) {
	addr, _ := bytesOf(target)
	addr2, _ := bytesOf(path)
	e.prep(OpSymlinkat, dir, addr, 0, addr2, 0)
}

// PrepGetxattr fills in a getxattr(2) (Linux 5.19). name ends with a NUL, as a path does. value belongs to the kernel
// until the CQE, whose result is the attribute's size; pass an empty value to ask only for the size. ENODATA: there is
// no such attribute; ERANGE: value is too small. See io_uring_prep_getxattr(3).
func (e *SQE) PrepGetxattr(path, name, value []byte) {
	addr, _ := bytesOf(name)
	addr2, n := bytesOf(value)
	addr3, _ := bytesOf(path)
	e.prep(OpGetxattr, 0, addr, n, addr2, 0)
	e.Addr3 = addr3
}

// PrepFgetxattr is PrepGetxattr of an open file (Linux 5.19). See io_uring_prep_fgetxattr(3).
func (e *SQE) PrepFgetxattr(fd int, name, value []byte) {
	addr, _ := bytesOf(name)
	addr2, n := bytesOf(value)
	e.prep(OpFgetxattr, fd, addr, n, addr2, 0)
}

// PrepSetxattr fills in a setxattr(2) (Linux 5.19). name ends with a NUL, as a path does. value belongs to the kernel
// for as long as path and name do. flags are 0, XATTR_CREATE or XATTR_REPLACE. See io_uring_prep_setxattr(3).
func (e *SQE) PrepSetxattr(path, name, value []byte, flags uint32) {
	addr, _ := bytesOf(name)
	addr2, n := bytesOf(value)
	addr3, _ := bytesOf(path)
	e.prep(OpSetxattr, 0, addr, n, addr2, flags)
	e.Addr3 = addr3
}

// PrepFsetxattr is PrepSetxattr of an open file (Linux 5.19). See io_uring_prep_fsetxattr(3).
func (e *SQE) PrepFsetxattr(fd int, name, value []byte, flags uint32) {
	addr, _ := bytesOf(name)
	addr2, n := bytesOf(value)
	e.prep(OpFsetxattr, fd, addr, n, addr2, flags)
}
