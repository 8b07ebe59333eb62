//go:build openbsd

package sys

import "golang.org/x/sys/unix"

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

const clockMonotonic = unix.CLOCK_MONOTONIC

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.ELOOP

// wildcardIsHere says whether connecting to the unspecified address connects to this machine.
const wildcardIsHere = false
