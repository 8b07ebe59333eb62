//go:build linux

package socktest

import "golang.org/x/sys/unix"

// onItsWay is how many bytes of a stream were sent and have not been acknowledged; none of what has no such count.
func onItsWay(fd int) int {
	all, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	unsent, err := unix.IoctlGetInt(fd, unix.SIOCOUTQNSD)
	if err != nil {
		return 0
	}
	return max(0, all-unsent)
}
