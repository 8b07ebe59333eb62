//go:build !plan9 && !windows

package posix

import "syscall"

// An Errno is an error number of the kernel.
type Errno = syscall.Errno

// Error numbers that package syscall has no name for on some systems. These have Linux's values on every system.
const (
	ETXTBSY Errno = 26
	ETIME   Errno = 62
)

// Error numbers with the system's own values.
const (
	EPERM         = syscall.EPERM
	ENOENT        = syscall.ENOENT
	ESRCH         = syscall.ESRCH
	EINTR         = syscall.EINTR
	EIO           = syscall.EIO
	ENXIO         = syscall.ENXIO
	EBADF         = syscall.EBADF
	EAGAIN        = syscall.EAGAIN
	ENOMEM        = syscall.ENOMEM
	EACCES        = syscall.EACCES
	EFAULT        = syscall.EFAULT
	EBUSY         = syscall.EBUSY
	EEXIST        = syscall.EEXIST
	EXDEV         = syscall.EXDEV
	ENOTDIR       = syscall.ENOTDIR
	EISDIR        = syscall.EISDIR
	EINVAL        = syscall.EINVAL
	ENFILE        = syscall.ENFILE
	EMFILE        = syscall.EMFILE
	EFBIG         = syscall.EFBIG
	ENOSPC        = syscall.ENOSPC
	ESPIPE        = syscall.ESPIPE
	EPIPE         = syscall.EPIPE
	ENAMETOOLONG  = syscall.ENAMETOOLONG
	ENOSYS        = syscall.ENOSYS
	ELOOP         = syscall.ELOOP
	EOVERFLOW     = syscall.EOVERFLOW
	EMSGSIZE      = syscall.EMSGSIZE
	EOPNOTSUPP    = syscall.EOPNOTSUPP
	EAFNOSUPPORT  = syscall.EAFNOSUPPORT
	EADDRINUSE    = syscall.EADDRINUSE
	EADDRNOTAVAIL = syscall.EADDRNOTAVAIL
	ENETUNREACH   = syscall.ENETUNREACH
	ECONNABORTED  = syscall.ECONNABORTED
	ECONNRESET    = syscall.ECONNRESET
	ENOPROTOOPT   = syscall.ENOPROTOOPT
	ENOBUFS       = syscall.ENOBUFS
	ENOTCONN      = syscall.ENOTCONN
	ETIMEDOUT     = syscall.ETIMEDOUT
	ECONNREFUSED  = syscall.ECONNREFUSED
	EHOSTUNREACH  = syscall.EHOSTUNREACH
	EDQUOT        = syscall.EDQUOT
	ECANCELED     = syscall.ECANCELED
)
