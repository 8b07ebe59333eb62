package handle

import (
	"errors"
	"fmt"
	"net"
	"os"

	"ringo/internal/loop"
	"ringo/internal/posix"
)

// ErrZero is the error of methods of a handle's zero value, as in package net.
var ErrZero error = posix.EINVAL

// ErrEnded is the error of handles that have outlived their loop, which has closed them.
var ErrEnded = fmt.Errorf("%w: %w", net.ErrClosed, loop.ErrEnded)

// Errors that packages sock and event both export.
var (
	// ErrUnread is the error of a call that would skip bytes that were received and not read. It also ends connections
	// of callbacks that leave too many bytes unread.
	ErrUnread = errors.New("ringo: the connection holds bytes that nobody has read " +
		"(sock.Conn.Buffered, event.Conn.SetUnreadMax)")
	// ErrLeases is the error of a request for one more lease than a connection may hold.
	ErrLeases = errors.New("ringo: the connection's leases are all held (ringo.Config.Leases): release one first")
	// ErrNoReturn is why a connection ends whose function, which the program has supplied, did not return.
	ErrNoReturn = errors.New("ringo: the connection's function did not return")
)

// CallError returns the error of a system call with the result res, a negative errno.
func CallError(call string, res int32) error {
	return os.NewSyscallError(call, posix.Error(res))
}
