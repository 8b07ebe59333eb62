package sys

import "ringo/internal/posix"

// Spare says whether the process can still have n descriptors: nil, EMFILE or ENFILE.
func Spare(n int) error {
	for range n {
		fd := Eventfd()
		if fd == -ENOSYS { // of Linux alone
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
