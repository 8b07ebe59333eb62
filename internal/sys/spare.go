package sys

import "ringo/internal/posix"

// Spare returns nil if the process can still have n more descriptors, otherwise EMFILE or ENFILE.
func Spare(n int) error {
	for range n {
		fd := Eventfd()
		if fd == -ENOSYS { // Linux only
			fd = Socket(AFUnix, SockStream, 0)
		}
		if fd == -EMFILE || fd == -ENFILE {
			return posix.Of(fd)
		}
		if fd >= 0 {
			defer Close(fd)
		}
	}
	return nil
}
