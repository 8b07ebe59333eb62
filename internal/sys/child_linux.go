//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// WaitAny waits until any child ends, and collects its status: wait4(2) of -1.
func WaitAny() (pid int, status uint32, res int32) {
	var s unix.WaitStatus
	pid, err := unix.Wait4(-1, &s, 0, nil)
	return pid, uint32(s), -int32(errnoOf(err))
}

// Reapable reports whether a wait for the process of a pidfd returns at once: waitid(2), which takes nothing.
func Reapable(fd int32) bool {
	var child unix.Siginfo
	err := unix.Waitid(unix.P_PIDFD, int(fd), &child, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil && err != unix.EINVAL || child.Signo != 0 // P_PIDFD came with Linux 5.4
}
