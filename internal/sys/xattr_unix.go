//go:build darwin || freebsd || netbsd || (linux && portable)

package sys

import "golang.org/x/sys/unix"

// Fgetxattr is fgetxattr(2).
func Fgetxattr(fd int32, name, p []byte) int32 {
	return again(func() (int, error) { return unix.Fgetxattr(int(fd), path(name), p) })
}

// Fsetxattr is fsetxattr(2). -EOPNOTSUPP: the system does not support the flags.
func Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	native, ok := xattrFlags(flags)
	if !ok {
		return -EOPNOTSUPP
	}
	return again(func() (int, error) { return 0, unix.Fsetxattr(int(fd), path(name), p, native) })
}

// Flistxattr is flistxattr(2).
func Flistxattr(fd int32, p []byte) int32 {
	return again(func() (int, error) { return unix.Flistxattr(int(fd), p) })
}

// Fremovexattr is fremovexattr(2).
func Fremovexattr(fd int32, name []byte) int32 {
	return again(func() (int, error) { return 0, unix.Fremovexattr(int(fd), path(name)) })
}

// xattrFlags converts the flags of Linux's setxattr(2): create and replace.
func xattrFlags(flags int) (native int, ok bool) {
	if flags != 0 && xattrCreate == 0 {
		return 0, false
	}
	if flags&1 != 0 {
		native |= xattrCreate
	}
	if flags&2 != 0 {
		native |= xattrReplace
	}
	return native, true
}
