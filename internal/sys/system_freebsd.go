//go:build freebsd

package sys

import "golang.org/x/sys/unix"

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return s.Btim, true }

func mknod(dir int, name string, mode uint32, dev int) error {
	return unix.Mknodat(dir, name, mode, uint64(dev))
}

// The system has no flags for attributes.
const (
	xattrCreate  = 0
	xattrReplace = 0
)

const pollEnd = 0x4000

func seekable(whence int) (native int, ok bool) { return whence, true }

const clockMonotonic = unix.CLOCK_MONOTONIC

// object is the flags for a descriptor that stands for a name: O_PATH.
const object = 0x400000

// atEmptyPath makes a call refer to its descriptor.
const atEmptyPath = 0x4000

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.EMLINK

// endsSilently says whether poll(2) does not report a peer's end.
const endsSilently = false

func ended(int32) bool { return false }

// wildcardIsHere says whether connecting to the unspecified address connects to this machine.
const wildcardIsHere = true
