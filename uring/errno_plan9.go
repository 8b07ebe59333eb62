//go:build plan9

package uring

import "ringo/internal/posix"

// Errno is the kernel's answer to a call that enters the ring; 0 is none. Plan 9 has no syscall.Errno, and no rings.
type Errno = posix.Errno
