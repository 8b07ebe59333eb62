//go:build darwin || netbsd

package posix

import "syscall"

// noData says that a file has no such attribute, which Linux says by ENODATA.
const noData = syscall.ENOATTR

// alike are numbers that mean what it does.
var alike = map[Errno]int32{syscall.ENODATA: 61}
