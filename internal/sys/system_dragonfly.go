//go:build dragonfly

package sys

import "golang.org/x/sys/unix"

// readlink is readlink(2): there is no readlinkat(2) here.
func readlink(dir int, name string, p []byte) (int, error) {
	if dir != unix.AT_FDCWD && name[:1] != "/" {
		return 0, unix.EOPNOTSUPP
	}
	return unix.Readlink(name, p)
}

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

func mknod(dir int, name string, mode uint32, dev int) error {
	return unix.Mknodat(dir, name, mode, dev)
}

// nativePoll are the system's bits: the peer's end has none.
func nativePoll(events int16) int16 { return events & pollBits }

func linuxPoll(events int16) int16 { return events }

func seekable(whence int) (native int, ok bool) {
	return whence, whence != SeekData && whence != SeekHole
}

const clockMonotonic = unix.CLOCK_MONOTONIC

// object are the flags that open what stands for a name: here that is the file, opened for reading without waiting.
func object(flags int) int { return flags | ONonblock }

// atEmptyPath has a call be about its descriptor, which no call has here.
const atEmptyPath = 0
