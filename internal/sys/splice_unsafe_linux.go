//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pipe is pipe2(2): a pipe whose ends are non-blocking and CLOEXEC.
func Pipe() (r, w, res int32) {
	var ends [2]int32
	res = result(syscall.RawSyscall6(unix.SYS_PIPE2, uintptr(unsafe.Pointer(&ends)), unix.O_NONBLOCK|unix.O_CLOEXEC, 0,
		0, 0, 0))
	return ends[0], ends[1], res
}

// SetPipeSize asks for a pipe capacity of n bytes (F_SETPIPE_SZ) and returns the new one. -EPERM: n is more than
// fs.pipe-max-size, or the user's share of fs.pipe-user-pages-soft is used up; -EBUSY: the pipe holds more than n.
func SetPipeSize(fd int32, n int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_FCNTL, uintptr(fd), unix.F_SETPIPE_SZ, uintptr(n), 0, 0, 0))
}

// Splice is splice(2) of up to n bytes, at the files' positions; in or out is a pipe. It does not wait for the pipe,
// nor for a socket in non-blocking mode. 0 is the end of the input.
func Splice(in, out int32, n int) int32 {
	for {
		res := result(syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(in), 0, uintptr(out), 0,
			uintptr(min(max(n, 0), transferMax)), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK))
		if res != eintr {
			return Sent(res)
		}
	}
}

// transferMax is a multiple of the page size that fits into an int32 result.
const transferMax = 0x7ffff000

// Sendfile is sendfile(2) of up to n bytes from in, a file, at off; a negative off means the file's position, which
// then advances. out is a socket in non-blocking mode. It may wait for the file's disk; the scheduler is told. 0 is
// the end of the file.
func Sendfile(out, in int32, off int64, n int) int32 {
	n = min(max(n, 0), transferMax)
	return Sent(blocking(func() (int, error) {
		if off < 0 {
			return unix.Sendfile(int(out), int(in), nil, n)
		}
		at := off
		return unix.Sendfile(int(out), int(in), &at, n)
	}))
}

// HaveSplice says whether this OS has splice(2) at all.
const HaveSplice = true
