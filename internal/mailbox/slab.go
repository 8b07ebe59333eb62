package mailbox

import (
	"fmt"
	"math/bits"
	"sync/atomic"
)

// A slab keeps the nodes of one queue, those in use and those on its free list.
// It grows and never shrinks, so its size is that of the queue at its longest.
//
// sync.Pool would be shorter, but after each garbage collection its first user
// takes a lock, and a suspended sender could then hold up the loop.
type slab[T any] struct {
	// free is the free list: the reference of its first node in the lower half
	// and in the upper half how many nodes were ever taken from it. That count
	// is what makes get safe: it reads the first node's successor and then swaps
	// it in, and in between the first node may have left and come back with
	// another successor. The count tells the two apart, unless exactly 2^32
	// nodes were taken while one sender stood between the two steps.
	free atomic.Uint64

	chunks [chunksMax]atomic.Pointer[[]node[T]]
}

// Chunk k has firstChunk << k nodes, so that a reference leads to its node
// without a search and the nodes never move.
const (
	firstChunkBits = 6
	firstChunk     = 1 << firstChunkBits
	chunksMax      = 20

	// undeliveredMax is the number of values that may wait in one queue. Push
	// panics beyond it: 67 million messages to one loop are a loop that is dead.
	undeliveredMax = firstChunk * (1<<chunksMax - 1)
)

// ref names a node of a slab: its index plus one.
type ref uint32

const none ref = 0

// node is one place for a value. next is atomic because a sender may read it of
// a node that another sender has just taken; the stale value is then thrown away.
type node[T any] struct {
	value T
	next  atomic.Uint32
}

// locate returns the chunk and the place in it of a reference.
func locate(r ref) (chunk, place int) {
	i := uint(r) - 1 + firstChunk
	chunk = bits.Len(i) - 1 - firstChunkBits
	return chunk, int(i - firstChunk<<chunk)
}

// at returns the node of r, which must be one that get returned.
func (s *slab[T]) at(r ref) *node[T] {
	chunk, place := locate(r)
	return &(*s.chunks[chunk].Load())[place]
}

// get takes a node from the free list, or makes more. Any goroutine may call it.
func (s *slab[T]) get() (ref, *node[T]) {
	for {
		old := s.free.Load()
		r := ref(old)
		if r == none {
			if r, n := s.grow(); r != none {
				return r, n
			}
			continue // another sender has grown it
		}
		n := s.at(r)
		taken := old>>32 + 1
		if s.free.CompareAndSwap(old, taken<<32|uint64(n.next.Load())) {
			return r, n
		}
	}
}

// put gives a node back and drops its value. Any goroutine may call it.
func (s *slab[T]) put(r ref, n *node[T]) {
	var zero T
	n.value = zero
	s.release(r, n)
}

// release puts the chain from first to last on the free list.
func (s *slab[T]) release(first ref, last *node[T]) {
	for {
		old := s.free.Load()
		last.next.Store(uint32(old))
		if s.free.CompareAndSwap(old, old>>32<<32|uint64(first)) {
			return
		}
	}
}

// grow adds a chunk and returns its first node, for the caller; none means that
// another sender added this chunk first. It never waits for that sender to put
// its nodes on the free list: whoever finds the list empty adds the next chunk.
func (s *slab[T]) grow() (ref, *node[T]) {
	k := 0
	for k < chunksMax && s.chunks[k].Load() != nil {
		k++
	}
	if k == chunksMax {
		panic(fmt.Sprintf("mailbox: more than %d values undelivered", undeliveredMax))
	}
	base := ref(firstChunk*(1<<k-1)) + 1
	chunk := make([]node[T], firstChunk<<k)
	for i := 1; i < len(chunk)-1; i++ {
		chunk[i].next.Store(uint32(base) + uint32(i) + 1)
	}
	if !s.chunks[k].CompareAndSwap(nil, &chunk) {
		return none, nil
	}
	s.release(base+1, &chunk[len(chunk)-1])
	return base, &chunk[0]
}
