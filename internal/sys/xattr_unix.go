//go:build darwin || freebsd || netbsd || (linux && portable)

package sys

import "golang.org/x/sys/unix"

// Fgetxattr is fgetxattr(2).
func Fgetxattr(fd int32, name, p []byte) int32 {
	return again(func() (int, error) { return unix.Fgetxattr(int(fd), path(name), p) })
}

// Fsetxattr is fsetxattr(2).
func Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	return again(func() (int, error) { return 0, unix.Fsetxattr(int(fd), path(name), p, xattrFlags(flags)) })
}

// Flistxattr is flistxattr(2).
func Flistxattr(fd int32, p []byte) int32 {
	return again(func() (int, error) { return unix.Flistxattr(int(fd), p) })
}

// Fremovexattr is fremovexattr(2).
func Fremovexattr(fd int32, name []byte) int32 {
	return again(func() (int, error) { return 0, unix.Fremovexattr(int(fd), path(name)) })
}

// xattrFlags are those of setxattr(2): Linux's create and replace.
func xattrFlags(flags int) (native int) {
	if flags&1 != 0 {
		native |= xattrCreate
	}
	if flags&2 != 0 {
		native |= xattrReplace
	}
	return native
}
