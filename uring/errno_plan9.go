//go:build plan9

package uring

import "ringo/internal/posix"

// Errno is the error of a call that enters the ring; 0 means none. Plan 9 has no syscall.Errno, and no rings.
type Errno = posix.Errno
