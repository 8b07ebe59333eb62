//go:build wasip1

package posix

// This system has only the numbers in common.
var (
	more  map[int32]Errno
	alike map[Errno]int32
)
