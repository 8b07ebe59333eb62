//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Getsockopt is getsockopt(2) into p. It returns how many bytes the kernel wrote, which may be fewer than there is
// room for, or the negated errno.
func Getsockopt(fd int32, level, name int, p []byte) int32 {
	size := uint32(clampLen(p))
	res := result(syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(base(p)),
		uintptr(unsafe.Pointer(&size)), 0))
	if res < 0 {
		return res
	}
	return int32(size)
}

// Setsockopt is setsockopt(2) with the bytes of p.
func Setsockopt(fd int32, level, name int, p []byte) int32 {
	return result(syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(base(p)), clampLen(p), 0))
}

// PeerCred is SO_PEERCRED: the peer of a Unix socket at the time when it was connected, see unix(7).
func PeerCred(fd int32) (cred Ucred, res int32) {
	size := uint32(unsafe.Sizeof(cred))
	res = result(syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERCRED,
		uintptr(unsafe.Pointer(&cred)), uintptr(unsafe.Pointer(&size)), 0))
	return cred, res
}

// Socketpair is socketpair(2): two Unix sockets connected to each other, with
// SOCK_CLOEXEC always set.
func Socketpair(typ int) (a, b, res int32) {
	var ends [2]int32
	res = result(syscall.RawSyscall6(unix.SYS_SOCKETPAIR, unix.AF_UNIX, uintptr(typ|unix.SOCK_CLOEXEC), 0,
		uintptr(unsafe.Pointer(&ends)), 0, 0))
	return ends[0], ends[1], res
}

// A Filter is an instruction of a classic BPF program, see socket(7).
type Filter = unix.SockFilter

// SetsockoptFilter is setsockopt(2) for an option that is a BPF program.
func SetsockoptFilter(fd int32, level, name int, program []Filter) int32 {
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	return result(syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&prog)), unsafe.Sizeof(prog), 0))
}
