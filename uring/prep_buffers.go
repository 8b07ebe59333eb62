package uring

import "math"

// # Share buffers
//
// Buffer rings (Ring.BufRing) are cheaper and better in every way. These two ops are for kernels before 5.19, and for
// rings on which the program can't register. A group is either a buffer ring or made by these ops.

// PrepProvideBuffers lends the kernel n buffers of the same size, which together make up mem, for the group, with ids
// from first on (Linux 5.7). The result is not negative if it succeeds. The kernel owns a buffer until a CQE returns
// its id, or PrepRemoveBuffers takes it back; then it has to be provided again. EINVAL: the group is a buffer ring;
// E2BIG, EOVERFLOW and ENOMEM: too many buffers, or buffers of 4 GiB or more. See io_uring_prep_provide_buffers(3).
func (e *SQE) PrepProvideBuffers(group, first uint16, mem []byte, n int) {
	addr, _ := bytesOf(mem)
	size := uint64(len(mem)) / uint64(max(n, 1))
	if size > math.MaxUint32 {
		n, size = 0, 0 // makes the kernel return E2BIG; with the size cut, the buffers would lie in the wrong places
	}
	e.prep(OpProvideBuffers, n, addr, uint32(size), uint64(first), 0)
	e.BufIndex = group
}

// PrepRemoveBuffers takes at most n buffers of the group back (Linux 5.7); the result is how many. ENOENT: there is no
// such group; EINVAL: it is a buffer ring. See io_uring_prep_remove_buffers(3).
func (e *SQE) PrepRemoveBuffers(group uint16, n int) {
	e.prep(OpRemoveBuffers, n, 0, 0, 0, 0)
	e.BufIndex = group
}
