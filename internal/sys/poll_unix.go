//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"math"

	"golang.org/x/sys/unix"
)

// PollFd is struct pollfd. The system's bits have Linux's numbers, except PollRdhup: see nativePoll.
type PollFd = unix.PollFd

// Poll asks for the readiness of one descriptor now.
func Poll(fd int32, mask uint32) int32 {
	p := [1]PollFd{{Fd: fd, Events: int16(mask)}}
	if res := PpollNow(p[:]); res < 0 {
		return res
	}
	res := int32(uint16(p[0].Revents))
	if endsSilently && mask&PollRdhup != 0 && ended(fd) {
		res |= PollRdhup
	}
	return res
}

// PpollNow is poll(2) that doesn't wait.
func PpollNow(fds []PollFd) int32 {
	for {
		if res := pollFor(fds, 0); res != -EINTR {
			return res
		}
	}
}

// Ppoll is poll(2): it waits up to ns nanoseconds, rounded up to milliseconds, for ever if negative. It returns EINTR,
// because only the caller knows how much of its time is left.
func Ppoll(fds []PollFd, ns int64) int32 {
	ms := -1
	if ns >= 0 {
		ms = int(min((ns+999_999)/1_000_000, math.MaxInt32))
	}
	return pollFor(fds, ms)
}

func pollFor(fds []PollFd, ms int) int32 {
	for i := range fds {
		fds[i].Events = nativePoll(fds[i].Events)
	}
	n, err := unix.Poll(fds, ms)
	for i := range fds {
		fds[i].Events, fds[i].Revents = linuxPoll(fds[i].Events), linuxPoll(happened(fds[i].Revents))
	}
	return count(n, err)
}

// nativePoll converts Linux's bits to the system's. If the system has no bit for a peer's end, that is not asked for.
func nativePoll(events int16) int16 {
	native := events & pollBits
	if events&PollRdhup != 0 {
		native |= pollEnd
	}
	return native
}

// linuxPoll converts the system's bits to Linux's.
func linuxPoll(events int16) int16 {
	if events&pollEnd != 0 {
		events = events&^pollEnd | PollRdhup
	}
	return events
}

// happened returns the result of a poll. On some systems a hang-up may mean only the end of what comes, or the
// process's own shutdown, and not that the connection is gone: it becomes readiness, and the next read or write finds
// out which.
func happened(revents int16) int16 {
	if hangupIsEnd && revents&PollHup != 0 {
		return revents&^PollHup | PollIn | PollRdhup
	}
	return revents
}

// pollBits are the bits that poll(2) accepts on every system.
const pollBits = PollIn | PollPri | PollOut | PollErr | PollHup | PollNval

// IsOpen reports whether fd is an open descriptor.
func IsOpen(fd int32) bool { return Fcntl(fd, FGetfd, 0) >= 0 }

// FilesMax returns the present RLIMIT_NOFILE, which all descriptors are below; no limit if it can't be found out.
func FilesMax() uint64 {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return math.MaxUint64
	}
	return uint64(lim.Cur)
}

// Timerfd and SetTimer exist on Linux only.
func Timerfd() int32 { return -ENOSYS }

// SetTimer exists on Linux only.
func SetTimer(fd int32, ns int64) int32 { return -ENOSYS }

// WakerCall is the call that makes a Waker.
const WakerCall = "pipe"

// WakerFills says whether a Waker stops making edges when it is signalled often and never unsignalled.
const WakerFills = true

// NewWaker makes a Waker of a pipe.
func NewWaker() (Waker, int32) {
	r, w, res := Pipe()
	return Waker{In: r, out: w}, res
}

// Signal makes In readable, if it is not. A full pipe is readable already.
func (w Waker) Signal() { Write(w.out, zero[:]) }

var zero [1]byte

// Unsignal takes the signal back: In is not readable then.
func (w Waker) Unsignal() {
	var b [64]byte
	for Read(w.In, b[:]) == int32(len(b)) {
	}
}

// Close closes the descriptors.
func (w Waker) Close() {
	Close(w.out)
	Close(w.In)
}

// Monotonic is CLOCK_MONOTONIC, by a system call.
func Monotonic() (ns int64) {
	var ts unix.Timespec
	unix.ClockGettime(clockMonotonic, &ts)
	return unix.TimespecToNsec(ts)
}
