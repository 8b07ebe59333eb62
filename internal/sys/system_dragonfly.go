//go:build dragonfly

package sys

import (
	"strings"

	"golang.org/x/sys/unix"
)

// readlink is readlink(2): there is no readlinkat(2) here.
func readlink(dir int, name string, p []byte) (int, error) {
	if dir != unix.AT_FDCWD && !strings.HasPrefix(name, "/") {
		return 0, unix.EOPNOTSUPP
	}
	return unix.Readlink(name, p)
}

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

const clockMonotonic = unix.CLOCK_MONOTONIC

// linkRefused is the error of an open that is not to follow links.
const linkRefused = unix.EMLINK

// wildcardIsHere says that to connect to all addresses is to connect to this machine.
const wildcardIsHere = true
