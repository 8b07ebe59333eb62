//go:build aix || js || solaris

package posix

import "syscall"

// noData is the error for an attribute that a file does not have.
const noData = syscall.ENODATA

// alike maps other numbers that mean the same as noData to Linux's number: there are none.
var alike map[Errno]int32
