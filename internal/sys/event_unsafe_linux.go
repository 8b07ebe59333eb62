//go:build linux && !portable

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Eventfd is eventfd2(2), CLOEXEC and non-blocking.
func Eventfd() int32 {
	return result(syscall.RawSyscall6(unix.SYS_EVENTFD2, 0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK, 0, 0, 0, 0))
}

// Signal adds one to an eventfd. EAGAIN, a full counter, is a success: it is
// signalled already.
func Signal(fd int32) int32 {
	one := uint64(1)
	return unlessFull(Write(fd, unsafe.Slice((*byte)(unsafe.Pointer(&one)), 8)))
}

// Unsignal reads an eventfd's counter back to zero.
func Unsignal(fd int32) int32 {
	var n uint64
	return unlessFull(Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&n)), 8)))
}

// unlessFull takes EAGAIN, of a counter that is full or is zero, for a success.
func unlessFull(res int32) int32 {
	if res == -int32(unix.EAGAIN) {
		return 0
	}
	return res
}

// WakerCall is the call that makes a Waker.
const WakerCall = "eventfd2"

// WakerFills says whether a Waker that is signalled, and never unsignalled, comes to make no more edges.
const WakerFills = false

// NewWaker makes one of an eventfd.
func NewWaker() (Waker, int32) {
	fd := Eventfd()
	return Waker{In: fd, out: fd}, min(fd, 0)
}

// Signal makes it readable, if it is not.
func (w Waker) Signal() { Signal(w.out) }

// Unsignal makes it readable no longer.
func (w Waker) Unsignal() { Unsignal(w.In) }

// Close frees it.
func (w Waker) Close() { Close(w.In) }

// PidFD is pidfd_open(2), CLOEXEC.
func PidFD(pid int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_PIDFD_OPEN, uintptr(pid), 0, 0, 0, 0, 0))
}

// Gettid is gettid(2), the id of the calling thread.
func Gettid() int32 {
	return result(syscall.RawSyscall6(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0))
}
