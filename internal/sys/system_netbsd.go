//go:build netbsd

package sys

import "golang.org/x/sys/unix"

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return s.Btim, true }

func mknod(dir int, name string, mode uint32, dev int) error {
	return unix.Mknodat(dir, name, mode, dev)
}

// There are no flags for attributes.
const (
	xattrCreate  = 0
	xattrReplace = 0
)

// nativePoll are the system's bits: the peer's end has none.
func nativePoll(events int16) int16 { return events & pollBits }

func linuxPoll(events int16) int16 { return events }

func seekable(whence int) (native int, ok bool) {
	return whence, whence != SeekData && whence != SeekHole
}

const clockMonotonic = 3 // CLOCK_MONOTONIC, which golang.org/x/sys has not got

// object are the flags that open what stands for a name: here that is the file, opened for reading without waiting.
func object(flags int) int { return flags | ONonblock }

// atEmptyPath has a call be about its descriptor, which no call has here.
const atEmptyPath = 0
