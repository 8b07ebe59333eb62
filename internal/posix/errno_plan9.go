//go:build plan9

package posix

import (
	"errors"
	"strconv"
)

// An Errno is an error number. Plan 9 itself has none: its errors are strings.
type Errno uintptr

func (e Errno) Error() string { return "errno " + strconv.Itoa(int(e)) }

// Is reports whether e means the same as target: ENOSYS is errors.ErrUnsupported.
func (e Errno) Is(target error) bool { return e == ENOSYS && target == errors.ErrUnsupported }

// Timeout reports whether e means that a time is over. Package net asks errors for Timeout and Temporary.
func (e Errno) Timeout() bool { return e == EAGAIN || e == ETIMEDOUT }

// Temporary reports whether the call may succeed later.
func (e Errno) Temporary() bool { return e == EINTR || e == EMFILE || e == ENFILE || e.Timeout() }

// Error numbers with Linux's values.
const (
	EPERM         Errno = 1
	ENOENT        Errno = 2
	ESRCH         Errno = 3
	EINTR         Errno = 4
	EIO           Errno = 5
	ENXIO         Errno = 6
	EBADF         Errno = 9
	EAGAIN        Errno = 11
	ENOMEM        Errno = 12
	EACCES        Errno = 13
	EFAULT        Errno = 14
	EBUSY         Errno = 16
	EEXIST        Errno = 17
	EXDEV         Errno = 18
	ENOTDIR       Errno = 20
	EISDIR        Errno = 21
	EINVAL        Errno = 22
	ENFILE        Errno = 23
	EMFILE        Errno = 24
	ETXTBSY       Errno = 26
	EFBIG         Errno = 27
	ENOSPC        Errno = 28
	ESPIPE        Errno = 29
	EPIPE         Errno = 32
	ENAMETOOLONG  Errno = 36
	ENOSYS        Errno = 38
	ELOOP         Errno = 40
	ETIME         Errno = 62
	EOVERFLOW     Errno = 75
	EMSGSIZE      Errno = 90
	EOPNOTSUPP    Errno = 95
	EAFNOSUPPORT  Errno = 97
	EADDRINUSE    Errno = 98
	EADDRNOTAVAIL Errno = 99
	ENETUNREACH   Errno = 101
	ECONNABORTED  Errno = 103
	ECONNRESET    Errno = 104
	ENOPROTOOPT   Errno = 92
	ENOBUFS       Errno = 105
	ENOTCONN      Errno = 107
	ETIMEDOUT     Errno = 110
	ECONNREFUSED  Errno = 111
	EHOSTUNREACH  Errno = 113
	EDQUOT        Errno = 122
	ECANCELED     Errno = 125
)
