//go:build darwin || netbsd

package posix

import "syscall"

// noData is the error for an attribute that a file does not have. On Linux it is ENODATA.
const noData = syscall.ENOATTR

// alike maps other numbers that mean the same as noData to Linux's number.
var alike = map[Errno]int32{syscall.ENODATA: 61}
