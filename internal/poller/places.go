package poller

import "ringo/internal/sys"

// fdTable maps a descriptor to its place in a list. It is a table, because descriptors are small: the kernel gives the
// lowest free number.
type fdTable []int32 // by descriptor: the place plus one, 0 for none

// room makes the table large enough for fd. It checks first that a number beyond the table is an open descriptor, so
// that a wrong one costs no memory.
func (p *fdTable) room(fd int32) int32 {
	switch {
	case fd < 0:
		return -sys.EBADF
	case int(fd) < len(*p):
		return 0
	case !sys.IsOpen(fd):
		return -sys.EBADF
	}
	*p = append(*p, make([]int32, max(int(fd)+1-len(*p), len(*p), 64))...)
	return 0
}

// find returns the place of fd, or -1.
func (p fdTable) find(fd int32) int {
	if uint(fd) >= uint(len(p)) {
		return -1
	}
	return int(p[fd]) - 1
}

func (p fdTable) put(fd int32, place int) { p[fd] = int32(place) + 1 }

func (p fdTable) drop(fd int32) { p[fd] = 0 }
