//go:build linux

package socktest

import "golang.org/x/sys/unix"

// onItsWay returns how many sent bytes of a stream have not been acknowledged, or 0 for a socket that does not count
// them.
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
