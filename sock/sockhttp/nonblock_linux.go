//go:build linux

package sockhttp

import "syscall"

// nonblock keeps the open of a FIFO from waiting for its other end.
const nonblock = syscall.O_NONBLOCK
