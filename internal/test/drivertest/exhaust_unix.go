//go:build unix && !linux

package drivertest

import (
	"golang.org/x/sys/unix"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

func (system) move(fd, to int32) int32 {
	if err := unix.Dup2(int(fd), int(to)); err != nil {
		return posix.Result(err.(posix.Errno))
	}
	unix.CloseOnExec(int(to))
	return sys.Close(fd)
}

func (system) exhaust() (restore func(), res int32) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return nil, posix.Result(err.(posix.Errno))
	}
	next := sys.Dup(0)
	if next < 0 {
		return nil, next
	}
	sys.Close(next)
	less := old
	less.Cur = 0
	for range next { // counted up, because the field's type differs between systems
		less.Cur++
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &less); err != nil {
		return nil, posix.Result(err.(posix.Errno))
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			panic(err)
		}
	}, 0
}
