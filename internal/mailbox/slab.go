package mailbox

import (
	"fmt"
	"math/bits"
	"sync/atomic"
)

// A slab keeps the nodes of one queue: those in use, and those on its free list. It never shrinks, so its size is that
// of the queue at its longest.
//
// A sync.Pool would need less code, but the first use after each garbage collection takes a lock, and a sender that is
// suspended while it holds the lock would hold up the loop.
type slab[T any] struct {
	// free is the free list: the lower half is the reference of its first node, and the upper half counts the nodes
	// that were ever taken from the list. The count makes get safe, which reads the first node's successor and then
	// swaps it in: in between, the first node may have been taken and come back with another successor. The count has
	// changed then, unless exactly 2^32 nodes were taken while one sender was between the two steps.
	free atomic.Uint64

	chunks [chunksMax]atomic.Pointer[[]node[T]]
}

// Chunk k has firstChunk << k nodes, so that a reference leads to its node without a search, and nodes never move.
const (
	firstChunkBits = 6
	firstChunk     = 1 << firstChunkBits
	chunksMax      = 20

	// undeliveredMax is the number of values that may wait in one queue. Push panics beyond it: if 67 million messages
	// wait for a loop, the loop is dead.
	undeliveredMax = firstChunk * (1<<chunksMax - 1)
)

// ref names a node of a slab: its index plus one.
type ref uint32

const none ref = 0

// node is one place for a value. next is atomic because a sender may read it in a node that another sender has just
// taken; the compare-and-swap that follows then fails, and the stale value is not used.
type node[T any] struct {
	value T
	next  atomic.Uint32
}

// locate returns the chunk of a reference, and the place in the chunk.
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
			continue // another sender has added a chunk
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

// grow adds a chunk and returns its first node, for the caller; none means that another sender was faster with this
// chunk. grow never waits until that sender has put its nodes on the free list: a sender that finds the list empty
// again adds the next chunk.
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
