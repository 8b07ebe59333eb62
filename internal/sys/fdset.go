package sys

import "math/bits"

// FDSetSize is FD_SETSIZE: an FDSet can hold the descriptors below it.
const FDSetSize = 1024

// FDSet is an fd_set, one bit for each descriptor. The kernel takes it as words of the architecture's size, and counts
// the bits of a word from the lowest.
type FDSet [FDSetSize / bits.UintSize]uint

// Set puts fd into the set.
func (s *FDSet) Set(fd int32) { s[uint32(fd)/bits.UintSize] |= 1 << (uint32(fd) % bits.UintSize) }

// Clear takes fd out of the set.
func (s *FDSet) Clear(fd int32) { s[uint32(fd)/bits.UintSize] &^= 1 << (uint32(fd) % bits.UintSize) }

// Has reports whether fd is in the set.
func (s *FDSet) Has(fd int32) bool {
	return s[uint32(fd)/bits.UintSize]&(1<<(uint32(fd)%bits.UintSize)) != 0
}
