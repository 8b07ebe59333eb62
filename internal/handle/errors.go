package handle

import (
	"errors"
	"fmt"
	"net"
	"os"

	"ringo/internal/loop"
	"ringo/internal/posix"
)

// ErrZero is what the methods of a handle's zero value return, as in package net.
var ErrZero error = posix.EINVAL

// ErrEnded is the error of handles that have outlived their loop, which closed them.
var ErrEnded = fmt.Errorf("%w: %w", net.ErrClosed, loop.ErrEnded)

// What packages sock and event both export.
var (
	// ErrUnread is the error of a call that would pass over what was received and not read, and why a connection of
	// callbacks ends that leave too much of it.
	ErrUnread = errors.New("ringo: the connection holds bytes that nobody has read " +
		"(sock.Conn.Buffered, event.Conn.SetUnreadMax)")
	// ErrLeases is the error of who asks for one more lease than a connection may hold.
	ErrLeases = errors.New("ringo: the connection's leases are all held (ringo.Config.Leases): release one first")
	// ErrNoReturn is why a connection ends of which the program's function did not return.
	ErrNoReturn = errors.New("ringo: the connection's function did not return")
)

// CallError is the error of a system call that gave res, a negated errno.
func CallError(call string, res int32) error {
	return os.NewSyscallError(call, posix.Error(res))
}
