//go:build windows

package posix

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// An Errno is one of Windows' error numbers, or one that package syscall has invented where Windows has none.
type Errno = syscall.Errno

// Error numbers, as packages os and net return them on Windows. Where Windows has a number for an error it is that one,
// and not the one that package syscall has invented, because no system call returns the latter.
const (
	EPERM         = syscall.EPERM
	ENOENT        = windows.ERROR_FILE_NOT_FOUND
	ESRCH         = windows.ERROR_INVALID_PARAMETER
	EINTR         = windows.WSAEINTR
	EIO           = syscall.EIO
	ENXIO         = syscall.ENXIO
	EBADF         = windows.ERROR_INVALID_HANDLE
	EAGAIN        = windows.WSAEWOULDBLOCK
	ENOMEM        = windows.ERROR_NOT_ENOUGH_MEMORY
	EACCES        = windows.ERROR_ACCESS_DENIED
	EFAULT        = windows.WSAEFAULT
	EBUSY         = windows.ERROR_SHARING_VIOLATION
	EEXIST        = windows.ERROR_FILE_EXISTS
	EXDEV         = windows.ERROR_NOT_SAME_DEVICE
	ENOTDIR       = syscall.ENOTDIR
	EISDIR        = syscall.EISDIR
	EINVAL        = syscall.EINVAL
	ENFILE        = syscall.ENFILE
	EMFILE        = windows.WSAEMFILE
	ETXTBSY       = syscall.ETXTBSY
	EFBIG         = windows.ERROR_FILE_TOO_LARGE
	ENOSPC        = windows.ERROR_DISK_FULL
	ESPIPE        = windows.ERROR_SEEK_ON_DEVICE
	EPIPE         = windows.ERROR_BROKEN_PIPE
	ENAMETOOLONG  = windows.ERROR_FILENAME_EXCED_RANGE
	ENOSYS        = syscall.ENOSYS
	ELOOP         = syscall.ELOOP
	ETIME         = syscall.ETIME
	EOVERFLOW     = windows.ERROR_ARITHMETIC_OVERFLOW
	EMSGSIZE      = windows.WSAEMSGSIZE
	EOPNOTSUPP    = syscall.EOPNOTSUPP
	EAFNOSUPPORT  = windows.WSAEAFNOSUPPORT
	EADDRINUSE    = windows.WSAEADDRINUSE
	EADDRNOTAVAIL = windows.WSAEADDRNOTAVAIL
	ECONNABORTED  = windows.WSAECONNABORTED
	ECONNRESET    = windows.WSAECONNRESET
	ENOBUFS       = windows.WSAENOBUFS
	ETIMEDOUT     = windows.WSAETIMEDOUT
	ECONNREFUSED  = windows.WSAECONNREFUSED
	EDQUOT        = windows.WSAEDQUOT
	ECANCELED     = windows.ERROR_OPERATION_ABORTED
	ENETUNREACH   = windows.WSAENETUNREACH
	ENOPROTOOPT   = windows.WSAENOPROTOOPT
	ENOTCONN      = windows.WSAENOTCONN
	EHOSTUNREACH  = windows.WSAEHOSTUNREACH
)
