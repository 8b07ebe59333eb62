//go:build linux

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fstatx is statx(2) of an open file: all that this package knows of, or fstat(2) where
// a filter or an old kernel has none. flags are AT_ flags; mount is how to number the
// mount, StatxMntID or StatxMount.
func Fstatx(fd int32, flags int, mount uintptr, st *Statx) int32 {
	*st = Statx{}
	mask := StatxBasic | StatxBtime | StatxDioalign | mount
	for {
		res := result(syscall.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&zero)),
			uintptr(flags|unix.AT_EMPTY_PATH), mask, uintptr(unsafe.Pointer(st)), 0))
		switch {
		case res == -ENOSYS || res == -EPERM:
			var old unix.Stat_t
			if res = blocking(func() (int, error) { return 0, unix.Fstat(int(fd), &old) }); res == 0 {
				st.from(&old)
			}
			return res
		case res != eintr:
			return res
		}
	}
}

// Futimens is utimensat(2) of an open file, with times in nanoseconds since 1970.
func Futimens(fd int32, atimeNS, mtimeNS int64, omitAtime, omitMtime bool) int32 {
	times := [2]unix.Timespec{unix.NsecToTimespec(atimeNS), unix.NsecToTimespec(mtimeNS)}
	if omitAtime {
		times[0] = unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	if omitMtime {
		times[1] = unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return result(syscall.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0))
}

// Fgetxattr is fgetxattr(2); name ends with a NUL. With an empty p the result is how
// long the value is.
func Fgetxattr(fd int32, name, p []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FGETXATTR, uintptr(fd), uintptr(base(name)), uintptr(base(p)),
		uintptr(len(p)), 0, 0))
}

// Fsetxattr is fsetxattr(2).
func Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	return result(syscall.Syscall6(unix.SYS_FSETXATTR, uintptr(fd), uintptr(base(name)), uintptr(base(p)),
		uintptr(len(p)), uintptr(flags), 0))
}

// Flistxattr is flistxattr(2).
func Flistxattr(fd int32, p []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FLISTXATTR, uintptr(fd), uintptr(base(p)), uintptr(len(p)), 0, 0, 0))
}

// Fremovexattr is fremovexattr(2).
func Fremovexattr(fd int32, name []byte) int32 {
	return result(syscall.Syscall6(unix.SYS_FREMOVEXATTR, uintptr(fd), uintptr(base(name)), 0, 0, 0, 0))
}
