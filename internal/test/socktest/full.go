package socktest

// A Filling tells of a stream's socket, which is filled while nobody reads, whether it is full and stays so. What was
// sent may still be on its way, for long where the kernel's threads wait for a processor, and makes room when it
// arrives.
type Filling struct {
	left int // on its way
	same int // looks since something changed
}

// samePatience is for what a peer's kernel drops for want of memory, and is sent again ever later.
const samePatience = 50

// Full reports it after another look, in which the socket has taken so many bytes. The descriptor is the system's; for
// one of a world, where all arrives by the world's clock, it is NoDescriptor.
func (f *Filling) Full(fd uintptr, took int) bool {
	if left := onItsWay(int(fd)); took > 0 || left != f.left {
		*f = Filling{left: left}
	}
	f.same++
	return f.same >= 2 && f.left == 0 || f.same >= samePatience
}

// NoDescriptor is no descriptor of the system's.
const NoDescriptor = ^uintptr(0)
