//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"math"

	"golang.org/x/sys/unix"
)

// PollFd is struct pollfd. The system's bits have Linux's numbers, but for PollRdhup: see nativePoll.
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

// Ppoll is poll(2): it waits up to ns nanoseconds, rounded up to milliseconds, for ever if negative. Only the caller
// knows what is left of its time, so it gives EINTR.
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

// nativePoll are the system's bits for Linux's: a peer's end that it has no bit for is not asked for.
func nativePoll(events int16) int16 {
	native := events & pollBits
	if events&PollRdhup != 0 {
		native |= pollEnd
	}
	return native
}

// linuxPoll are Linux's bits for those of the system.
func linuxPoll(events int16) int16 {
	if events&pollEnd != 0 {
		events = events&^pollEnd | PollRdhup
	}
	return events
}

// happened is what came of a poll, but for a hang-up that stands for the end of what comes and for one's own shutdown,
// and not for a connection that is gone: who reads or writes finds out which.
func happened(revents int16) int16 {
	if hangupIsEnd && revents&PollHup != 0 {
		return revents&^PollHup | PollIn | PollRdhup
	}
	return revents
}

// pollBits are those that poll(2) takes on every system.
const pollBits = PollIn | PollPri | PollOut | PollErr | PollHup | PollNval

// IsOpen reports whether fd is a descriptor at all.
func IsOpen(fd int32) bool { return Fcntl(fd, FGetfd, 0) >= 0 }

// FilesMax is RLIMIT_NOFILE as it is now, the number that no descriptor reaches; what cannot be found out is no limit.
func FilesMax() uint64 {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return math.MaxUint64
	}
	return uint64(lim.Cur)
}

// Timerfd is Linux's alone, and so is SetTimer.
func Timerfd() int32 { return -ENOSYS }

// SetTimer is Linux's alone.
func SetTimer(fd int32, ns int64) int32 { return -ENOSYS }

// WakerCall is the call that makes a Waker.
const WakerCall = "pipe"

// WakerFills says whether a Waker that is signalled, and never unsignalled, comes to make no more edges.
const WakerFills = true

// NewWaker makes one of a pipe.
func NewWaker() (Waker, int32) {
	r, w, res := Pipe()
	return Waker{In: r, out: w}, res
}

// Signal makes it readable, if it is not. A pipe that is full is.
func (w Waker) Signal() { Write(w.out, zero[:]) }

var zero [1]byte

// Unsignal makes it readable no longer.
func (w Waker) Unsignal() {
	var b [64]byte
	for Read(w.In, b[:]) == int32(len(b)) {
	}
}

// Close frees it.
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
