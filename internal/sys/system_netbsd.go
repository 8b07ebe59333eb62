//go:build netbsd

package sys

import "golang.org/x/sys/unix"

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return s.Btim, true }

// The system has no flags for attributes.
const (
	xattrCreate  = 0
	xattrReplace = 0
)

const clockMonotonic = 3 // CLOCK_MONOTONIC, which golang.org/x/sys lacks

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.EFTYPE

// wildcardIsHere says whether connecting to the unspecified address connects to this machine.
const wildcardIsHere = true
