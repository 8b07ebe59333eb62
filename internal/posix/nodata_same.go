//go:build aix || js || solaris

package posix

import "syscall"

// noData says that a file has no such attribute.
const noData = syscall.ENODATA

// alike are numbers that mean what it does: none.
var alike map[Errno]int32
