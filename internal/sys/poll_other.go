//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sys

// PollFd is struct pollfd.
type PollFd struct {
	Fd              int32
	Events, Revents int16
}

func PpollNow(fds []PollFd) int32                          { return enosys }
func Ppoll(fds []PollFd, ns int64) int32                   { return enosys }
func SelectNow(n int, in, out, except *FDSet) int32        { return enosys }
func Select(n int, in, out, except *FDSet, ns int64) int32 { return enosys }
func IsOpen(fd int32) bool                                 { return false }
func FilesMax() uint64                                     { return 0 }
func Timerfd() int32                                       { return enosys }
func SetTimer(fd int32, ns int64) int32                    { return enosys }
