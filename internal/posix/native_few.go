//go:build wasip1

package posix

// There are no more numbers than those that all systems have.
var (
	more  map[int32]Errno
	alike map[Errno]int32
)
