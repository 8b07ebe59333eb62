//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// WaitAny waits until any child ends, and collects its status: wait4(2) of -1.
func WaitAny() (pid int, status uint32, res int32) {
	var s unix.WaitStatus
	pid, err := unix.Wait4(-1, &s, 0, nil)
	return pid, uint32(s), -int32(errnoOf(err))
}
