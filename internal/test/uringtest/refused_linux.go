//go:build linux

package uringtest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Refused reports whether a ring could not be made because this system denies rings to every process: it has no such
// call, a filter or a sysctl forbids it, or RLIMIT_MEMLOCK leaves no memory. Tests may skip for that reason only.
func Refused(err error) bool {
	if errors.Is(err, unix.ENOMEM) {
		const enough = 1 << 20 // for the rings of a test, and some that were just closed
		var limit unix.Rlimit
		return unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && limit.Cur < enough
	}
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EPERM)
}
