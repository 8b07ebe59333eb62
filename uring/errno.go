//go:build !plan9

package uring

import "syscall"

// Errno is the kernel's answer to a call that enters the ring; 0 is none.
type Errno = syscall.Errno
