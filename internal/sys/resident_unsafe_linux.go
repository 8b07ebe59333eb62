//go:build linux && !portable

package sys

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var pageSize = int64(os.Getpagesize())

// Resident reports by cachestat(2) whether all pages of the n bytes at off are in the page cache: 1 or 0. A page that
// is still being read counts as present. -ENOSYS before Linux 6.5; -EPERM if the caller may not write the file (since
// 6.14) or seccomp forbids the call; -EOPNOTSUPP for files without such pages.
func Resident(fd int32, off, n int64) int32 {
	if off < 0 || n <= 0 {
		return -int32(unix.EINVAL)
	}
	where := unix.CachestatRange{Off: uint64(off), Len: uint64(n)}
	var found unix.Cachestat_t
	res := result(syscall.RawSyscall6(unix.SYS_CACHESTAT, uintptr(fd), uintptr(unsafe.Pointer(&where)),
		uintptr(unsafe.Pointer(&found)), 0, 0, 0))
	if res < 0 {
		return res
	}
	if pages := (off+n-1)/pageSize - off/pageSize + 1; found.Cache >= uint64(pages) {
		return 1
	}
	return 0
}
