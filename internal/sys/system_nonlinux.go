//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

const (
	// bareControl says that a datagram without bytes can have control messages: golang.org/x/sys would send a byte.
	bareControl = false
	// reuseShares says that with SO_REUSEADDR sockets of datagrams share an address.
	reuseShares = false
	// mixesFamilies says that a socket of IPv6 has options of IPv4.
	mixesFamilies = false
	// namesWithoutFiles says that Unix sockets have abstract names, and names of the kernel's choice.
	namesWithoutFiles = false
	// keepsSticky says that a file may be made with the sticky bit.
	keepsSticky = false
)

// howLong would have a receive tell how long the message was, if it was cut.
const howLong = 0

// disconnect ends a socket's connection: to connect it to nothing does that, and says that it can't be done.
func disconnect(fd int) error {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return err
	}
	switch err := unix.Connect(fd, &unix.SockaddrInet4{}); err {
	case unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.EINVAL, unix.ENOENT: // the last of a Unix socket on Darwin
		return nil
	default:
		return err
	}
}
