//go:build !plan9

package uring

import "syscall"

// Errno is the error of a call that enters the ring; 0 means none.
type Errno = syscall.Errno
