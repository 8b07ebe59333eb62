package socktest

// A Filling finds out whether a stream's socket, which is filled while the peer does not read, is full and stays full.
// Sent bytes may still be on their way, for a long time if the kernel's threads wait for a processor, and make room
// when they arrive.
type Filling struct {
	left int // bytes on their way
	same int // checks since the last change
}

// samePatience is after how many checks without a change bytes on their way no longer count: the peer's kernel may drop
// them for want of memory, and they are sent again at ever longer intervals.
const samePatience = 50

// Full records another attempt to send, in which the socket took the given number of bytes, and reports whether the
// socket is full. fd is the system's descriptor, or NoDescriptor in a world, where everything arrives by the world's
// clock.
func (f *Filling) Full(fd uintptr, took int) bool {
	if left := onItsWay(int(fd)); took > 0 || left != f.left {
		*f = Filling{left: left}
	}
	f.same++
	return f.same >= 2 && f.left == 0 || f.same >= samePatience
}

// NoDescriptor stands for a descriptor that is not the system's.
const NoDescriptor = ^uintptr(0)
