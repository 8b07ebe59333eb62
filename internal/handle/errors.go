package handle

import (
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

// CallError is the error of a system call that gave res, a negated errno.
func CallError(call string, res int32) error {
	return os.NewSyscallError(call, posix.Error(res))
}
