//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

const (
	// bareControl says whether an empty datagram can have control messages: golang.org/x/sys would send a byte.
	bareControl = false
	// reuseShares says whether datagram sockets with SO_REUSEADDR share an address.
	reuseShares = false
	// mixesFamilies says whether an IPv6 socket has IPv4 options.
	mixesFamilies = false
	// namesWithoutFiles says whether Unix sockets have abstract names, and names of the kernel's choice.
	namesWithoutFiles = false
	// keepsSticky says whether a new file may get the sticky bit.
	keepsSticky = false
)

// howLong would be the flag with which a receive returns the full length of a message that was cut.
const howLong = 0

// disconnect dissolves a connection, by a connect to no address: that works, although it returns an error.
func disconnect(fd int) error {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return err
	}
	switch err := unix.Connect(fd, &unix.SockaddrInet4{}); err {
	case unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.EINVAL, unix.ENOENT: // ENOENT: a Unix socket on Darwin
		return nil
	default:
		return err
	}
}
