//go:build linux

package seccomptest

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listen puts the calling thread under a filter and returns the supervisor's descriptor for it.
func listen(prog []unix.SockFilter) (fd int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, os.NewSyscallError("prctl(PR_SET_NO_NEW_PRIVS)", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	n, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return -1, os.NewSyscallError("seccomp", errno)
	}
	return int(n), nil
}

// notice is struct seccomp_notif, and verdict is struct seccomp_notif_resp.
type (
	notice struct {
		id         uint64
		pid, flags uint32
		data       [64]byte
	}
	verdict struct {
		id           uint64
		val          int64
		error, flags int32
	}
)

// answer takes one call and makes it fail with errno, or lets it go on if errno is 0. It returns false if the call is
// gone: its thread got a signal, such as Go's own for preemption, and repeats the call.
func answer(fd int, errno syscall.Errno) (answered bool, err error) {
	var n notice
	_, _, failed := syscall.Syscall(unix.SYS_IOCTL, uintptr(fd),
		unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n)))
	switch failed {
	case 0:
	case unix.ENOENT, unix.EINTR:
		return false, nil
	default:
		return false, os.NewSyscallError("ioctl(SECCOMP_IOCTL_NOTIF_RECV)", failed)
	}
	v := verdict{id: n.id, error: -int32(errno)}
	if errno == 0 {
		v.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	_, _, failed = syscall.Syscall(unix.SYS_IOCTL, uintptr(fd),
		unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&v)))
	switch failed {
	case 0:
		return true, nil
	case unix.ENOENT:
		return false, nil
	}
	return false, os.NewSyscallError("ioctl(SECCOMP_IOCTL_NOTIF_SEND)", failed)
}
