//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sys

import "syscall"

// Flags of open(2) for simulated worlds: those of package os, and for the others bits that no system uses.
const (
	OAppend    = syscall.O_APPEND
	OCreat     = syscall.O_CREAT
	OExcl      = syscall.O_EXCL
	OTrunc     = syscall.O_TRUNC
	ODsync     = syscall.O_SYNC
	OSync      = syscall.O_SYNC
	ONoctty    = 1 << 24
	ONofollow  = 1 << 25
	OCloexec   = 1 << 26
	ODirectory = 1 << 27
	OTmpfile   = 1<<28 | ODirectory
	OPath      = 1 << 29
	ONonblock  = 1 << 23
	OLargefile = 0
	ODirect    = 1 << 30
)

// HaveObjects says whether OPath opens a descriptor that stands for a name, even a link's, for calls with AtEmptyPath.
const HaveObjects = true

func Openat2(dir int32, path []byte, how *OpenHow) int32                               { return enosys }
func OpenatCached(dir int32, path []byte, how *OpenHow) int32                          { return enosys }
func StatCached(dir int32, path []byte, flags uint32, st *Statx) int32                 { return enosys }
func Statxat(dir int32, path []byte, flags, mask uint32, st *Statx) int32              { return enosys }
func Mkdirat(dir int32, path []byte, mode uint32) int32                                { return enosys }
func Mknodat(dir int32, path []byte, mode, dev uint32) int32                           { return enosys }
func Unlinkat(dir int32, path []byte, flags uint32) int32                              { return enosys }
func Renameat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 { return enosys }
func Linkat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32   { return enosys }
func Symlinkat(target []byte, dir int32, path []byte) int32                            { return enosys }
func Readlinkat(dir int32, path, p []byte) int32                                       { return enosys }
func Getdents(fd int32, p []byte) int32                                                { return enosys }
func Fchmodat(dir int32, path []byte, mode, flags uint32) int32                        { return enosys }
func Faccessat(dir int32, path []byte, mode, flags uint32) int32                       { return enosys }
func Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32                    { return enosys }
func Utimensat(dir int32, path []byte, times *TimePair, flags uint32) int32            { return enosys }
func Truncate(path []byte, size int64) int32                                           { return enosys }
func CopyRange(in, out int32, inOff, outOff int64, n int) int32                        { return enosys }
func Clone(out, in int32) int32                                                        { return enosys }
func SeekIn(fd int32, off int64, whence int) (int64, int32)                            { return 0, enosys }
