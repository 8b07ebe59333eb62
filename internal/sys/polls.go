package sys

// Polls returns 1 if the system reports the readiness of fd, and 0 if fd is always ready, as a file on a disk is. Linux
// says which by its answer to an epoll set: a file's type does not, as of the files of /proc and /sys some can be
// polled. Where there is no epoll, or none is allowed, the type has to do.
func Polls(fd int32) int32 {
	set := EpollCreate()
	if set < 0 {
		switch kind := FileType(fd); {
		case kind < 0:
			return kind
		case IsRegular(fd):
			return 0
		}
		return 1
	}
	defer Close(set)
	switch res := EpollAdd(set, fd, 0, 0); res {
	case -EPERM:
		return 0
	case -EBADF:
		return res
	}
	return 1 // also if the set has no room, or fd is an epoll set on many others
}
