//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// Flags of open(2) that differ between architectures.
const (
	ONonblock  = unix.O_NONBLOCK
	OAppend    = unix.O_APPEND
	OCloexec   = unix.O_CLOEXEC
	OCreat     = unix.O_CREAT
	OExcl      = unix.O_EXCL
	OTrunc     = unix.O_TRUNC
	ODsync     = unix.O_DSYNC
	OSync      = unix.O_SYNC
	ONoctty    = unix.O_NOCTTY
	ODirectory = unix.O_DIRECTORY
	ONofollow  = unix.O_NOFOLLOW
	OPath      = unix.O_PATH
	OTmpfile   = unix.O_TMPFILE
	OLargefile = unix.O_LARGEFILE
)

// HaveObjects says whether OPath opens a descriptor that stands for a name, even a link's, for calls with AtEmptyPath.
const HaveObjects = true
