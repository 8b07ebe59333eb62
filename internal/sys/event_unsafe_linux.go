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

// Signal adds one to an eventfd. EAGAIN, a full counter, is a success: it is already signalled.
func Signal(fd int32) int32 {
	one := uint64(1)
	return unlessFull(Write(fd, unsafe.Slice((*byte)(unsafe.Pointer(&one)), 8)))
}

// Unsignal resets an eventfd's counter by reading it.
func Unsignal(fd int32) int32 {
	var n uint64
	return unlessFull(Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&n)), 8)))
}

// unlessFull turns EAGAIN, because the counter is full or zero, into success.
func unlessFull(res int32) int32 {
	if res == -int32(unix.EAGAIN) {
		return 0
	}
	return res
}

// WakerCall is the call that makes a Waker.
const WakerCall = "eventfd2"

// WakerFills says whether a Waker stops making edges when it is signalled often and never unsignalled.
const WakerFills = false

// NewWaker makes a Waker of an eventfd.
func NewWaker() (Waker, int32) {
	fd := Eventfd()
	return Waker{In: fd, out: fd}, min(fd, 0)
}

// Signal makes In readable, if it is not.
func (w Waker) Signal() { Signal(w.out) }

// Unsignal takes the signal back: In is not readable then.
func (w Waker) Unsignal() { Unsignal(w.In) }

// Close closes the descriptors.
func (w Waker) Close() { Close(w.In) }

// PidFD is pidfd_open(2), CLOEXEC.
func PidFD(pid int) int32 {
	return result(syscall.RawSyscall6(unix.SYS_PIDFD_OPEN, uintptr(pid), 0, 0, 0, 0, 0))
}

// Gettid is gettid(2), the id of the calling thread.
func Gettid() int32 {
	return result(syscall.RawSyscall6(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0))
}
