//go:build linux && portable

package sys

import (
	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

func syncFile(fd int) error { return unix.Fsync(fd) }

func readDirent(fd int, p []byte) (int, error) { return unix.ReadDirent(fd, p) }

// renameFlags exists on Linux and Darwin only.
func renameFlags(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	return posix.Lack(EINVAL)
}

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(*unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

// Mknodat is mknodat(2).
func Mknodat(dir int32, name []byte, mode, dev uint32) int32 {
	return again(func() (int, error) { return 0, unix.Mknodat(dirfd(dir), path(name), mode, int(dev)) })
}

const (
	xattrCreate  = unix.XATTR_CREATE
	xattrReplace = unix.XATTR_REPLACE
)

const pollEnd = PollRdhup

func seekable(whence int) (native int, ok bool) { return whence, true }

// In these the other systems differ.
const (
	bareControl    = true
	reuseShares    = true
	mixesFamilies  = true
	wildcardIsHere = true
	keepsSticky    = true
)

// namesWithoutFiles is set to false in a test, as on the other systems.
var namesWithoutFiles = true

// endsSilently says whether poll(2) does not report a peer's end.
const endsSilently = false

func ended(int32) bool { return false }

// howLong is the flag with which a receive returns the full length of a message that was cut.
const howLong = unix.MSG_TRUNC

const clockMonotonic = unix.CLOCK_MONOTONIC

// object is the flags for a descriptor that stands for a name: the file, opened for reading without waiting.
const object = ONonblock

// atEmptyPath makes a call refer to its descriptor, which no call has here.
const atEmptyPath = 0

// hangupIsEnd says whether POLLHUP may stand for less than a connection that is gone.
const hangupIsEnd = false

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.ELOOP
