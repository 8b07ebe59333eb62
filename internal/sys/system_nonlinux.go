//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

// howLong would have a receive tell how long the message was, if it was cut.
const howLong = 0

// disconnect ends a socket's connection: to connect it to nothing does that, and says that it can't be done.
func disconnect(fd int) error {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return err
	}
	switch err := unix.Connect(fd, &unix.SockaddrInet4{}); err {
	case unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.EINVAL:
		return nil
	default:
		return err
	}
}
