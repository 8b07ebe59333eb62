//go:build dragonfly || freebsd || openbsd

package posix

import "syscall"

// noData says that a file has no such attribute, which Linux says by ENODATA.
const noData = syscall.ENOATTR

// alike are numbers that mean what it does: none.
var alike map[Errno]int32
