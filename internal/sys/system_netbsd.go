//go:build netbsd

package sys

import "golang.org/x/sys/unix"

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return s.Btim, true }

// There are no flags for attributes.
const (
	xattrCreate  = 0
	xattrReplace = 0
)

const clockMonotonic = 3 // CLOCK_MONOTONIC, which golang.org/x/sys has not got

// linkRefused is the error of an open that is not to follow links.
const linkRefused = unix.EFTYPE

// wildcardIsHere says that to connect to all addresses is to connect to this machine.
const wildcardIsHere = true
