//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// result turns what a call returned into a completion's result.
//
// Each function below makes its call in place, not through a helper that takes uintptrs: the compiler keeps memory
// valid only across a direct call of package syscall, and a stack that moved in between would leave stale addresses.
// Non-blocking socket calls look for signals only where they would wait, so EINTR is rare there and left to the
// callers; calls that may wait are repeated in place.
func result(r, _ uintptr, errno syscall.Errno) int32 {
	if errno != 0 {
		return -int32(errno)
	}
	return int32(r)
}

const eintr = -int32(unix.EINTR)

// base returns the address of p's bytes. For an empty p it returns a valid address too, which the kernel requires.
func base(p []byte) unsafe.Pointer {
	if len(p) == 0 {
		return unsafe.Pointer(&zero)
	}
	return unsafe.Pointer(&p[0])
}

var zero [1]byte

// clampLen limits counts to an int32 result, as read(2) does itself.
func clampLen(p []byte) uintptr { return uintptr(min(len(p), 0x7ffff000)) }

// Socket is socket(2), with SOCK_CLOEXEC always set.
func Socket(domain, typ, proto int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_SOCKET, uintptr(domain), uintptr(typ|unix.SOCK_CLOEXEC),
		uintptr(proto), 0, 0, 0))
}

// Bind is bind(2).
func Bind(fd int32, sa *Sockaddr) int32 {
	return result(syscall.RawSyscall6(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&sa.raw)),
		uintptr(sa.len), 0, 0, 0))
}

// Listen is listen(2).
func Listen(fd int32, backlog int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog), 0, 0, 0, 0))
}

// Accept is accept4(2); the new descriptor is non-blocking and CLOEXEC.
// The listener must be non-blocking.
func Accept(fd int32) int32 {
	return result(syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0))
}

// Connect is connect(2) on a non-blocking socket.
func Connect(fd int32, sa *Sockaddr) int32 {
	return result(syscall.RawSyscall6(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa.raw)),
		uintptr(sa.len), 0, 0, 0))
}

// Recv is recv(2) with MSG_DONTWAIT added. It is the deepest call of a task that reads, as Send is of one that writes:
// without a stack check, neither makes the stack grow.
//
//go:nosplit
func Recv(fd int32, p []byte, flags uint32) int32 {
	return result(syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(base(p)), clampLen(p),
		uintptr(flags|unix.MSG_DONTWAIT), 0, 0))
}

// Send is send(2) with MSG_DONTWAIT and MSG_NOSIGNAL added.
//
//go:nosplit
func Send(fd int32, p []byte, flags uint32) int32 {
	return Sent(result(syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(base(p)), clampLen(p),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0)))
}

// SendTo is sendto(2) with MSG_DONTWAIT and MSG_NOSIGNAL added.
func SendTo(fd int32, p []byte, flags uint32, sa *Sockaddr) int32 {
	to, n := sa.Pointer()
	return result(syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(base(p)), clampLen(p),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), uintptr(to), uintptr(n)))
}

// Sendmsg is sendmsg(2) with MSG_DONTWAIT and MSG_NOSIGNAL added.
func Sendmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	return Sent(result(syscall.RawSyscall6(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(msg)),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0, 0)))
}

// Recvmsg is recvmsg(2) with MSG_DONTWAIT and MSG_CMSG_CLOEXEC added.
func Recvmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	return result(syscall.RawSyscall6(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(msg)),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC), 0, 0, 0))
}

// Shutdown is shutdown(2).
func Shutdown(fd int32, how int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0, 0, 0, 0))
}

// Dup duplicates fd, CLOEXEC.
func Dup(fd int32) int32 {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), unix.F_DUPFD_CLOEXEC, 0, 0, 0, 0))
}

// Fcntl is fcntl(2) with a number, for commands that don't wait.
func Fcntl(fd int32, cmd, arg int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg), 0, 0, 0))
}

// Close is close(2). On Linux the descriptor is closed even after EINTR, so that is a success and never repeated.
// Close may wait for a disk or a peer, so the scheduler is told.
func Close(fd int32) int32 {
	_, _, errno := syscall.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	if errno != 0 && errno != syscall.EINTR {
		return -int32(errno)
	}
	return 0
}

// SetsockoptInt is setsockopt(2) with an int.
func SetsockoptInt(fd int32, level, name, value int) int32 {
	v := int32(value)
	return result(syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&v)), 4, 0))
}

// SetLinger sets SO_LINGER.
func SetLinger(fd int32, on bool, sec int) int32 {
	v := unix.Linger{Linger: int32(sec)}
	if on {
		v.Onoff = 1
	}
	return result(syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER,
		uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0))
}

// GetsockoptInt is getsockopt(2) of an int: it returns the value, and the negated errno or 0.
func GetsockoptInt(fd int32, level, name int) (value, res int32) {
	size := uint32(4)
	res = result(syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&size)), 0))
	return value, res
}

// Getsockname is getsockname(2).
func Getsockname(fd int32, sa *Sockaddr) int32 { return getname(unix.SYS_GETSOCKNAME, fd, sa) }

// Getpeername is getpeername(2).
func Getpeername(fd int32, sa *Sockaddr) int32 { return getname(unix.SYS_GETPEERNAME, fd, sa) }

func getname(trap uintptr, fd int32, sa *Sockaddr) int32 {
	sa.len = uint32(unsafe.Sizeof(sa.raw))
	return result(syscall.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&sa.raw)),
		uintptr(unsafe.Pointer(&sa.len)), 0, 0, 0))
}
