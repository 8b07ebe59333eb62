package mailbox

import (
	"math"
	"sync/atomic"
)

// A Queue carries values from any number of senders to one owner. The zero
// value is open and empty. Values of one sender arrive in the order in which it
// pushed them; between senders the order is that of their pushes' effects.
//
// It is a stack of nodes that senders push with compare-and-swap and that the
// owner takes whole, with one swap, and turns round. Taking all at once is what
// makes it safe to reuse nodes: a push only ever says "my node lies on top of
// what is on top now", which stays true if the same node left and came back in
// the meantime. Nodes come from a [slab], so steady state allocates nothing.
//
// A Queue must not be copied after its first use.
type Queue[T any] struct {
	_     [64]byte      // senders on other cores write head; keep the neighbours out of it
	head  atomic.Uint32 // newest node; none, or shut for ever
	_     [60]byte
	nodes slab[T]
}

// shut is the head of a closed queue. No node has this reference.
const shut ref = math.MaxUint32

// Push adds v and reports true, or reports false because the queue is closed.
// Any goroutine may call it; it never waits. What it accepted is delivered by
// [Queue.Take] or by [Queue.Close], exactly once.
func (q *Queue[T]) Push(v T) bool {
	if q.Closed() {
		return false
	}
	r, n := q.nodes.get()
	n.value = v
	for {
		// Reading head pairs with the swap in Close: shut is final, so a push
		// either comes before it and is part of the rest, or is refused here.
		head := q.head.Load()
		if ref(head) == shut {
			q.nodes.put(r, n)
			return false
		}
		n.next.Store(head)
		if q.head.CompareAndSwap(head, uint32(r)) {
			return true
		}
	}
}

// Empty reports whether there was nothing to take. Any goroutine may call it.
func (q *Queue[T]) Empty() bool {
	head := ref(q.head.Load())
	return head == none || head == shut
}

// Closed reports whether pushes are refused. Any goroutine may call it.
func (q *Queue[T]) Closed() bool { return ref(q.head.Load()) == shut }

// Take removes everything that is in the queue and returns it, oldest first.
// Only the owner may call it; it never waits. What is pushed from now on is
// for the next Take, so a batch has an end.
func (q *Queue[T]) Take() Batch[T] {
	if q.Empty() {
		return Batch[T]{} // without the swap, which would steal the line from the senders
	}
	return q.turn(ref(q.head.Swap(uint32(none))))
}

// Close refuses all later pushes and returns what was accepted and not yet
// taken. Only the owner may call it; closing again returns an empty batch.
func (q *Queue[T]) Close() (rest Batch[T]) {
	if newest := ref(q.head.Swap(uint32(shut))); newest != shut {
		return q.turn(newest)
	}
	return Batch[T]{}
}

// CloseEmpty is Close if there is nothing to take; otherwise it reports false and
// the queue stays open. Only the owner may call it.
func (q *Queue[T]) CloseEmpty() bool { return q.head.CompareAndSwap(uint32(none), uint32(shut)) }

// turn makes a batch, oldest first, of a chain that runs from the newest.
func (q *Queue[T]) turn(newest ref) Batch[T] {
	oldest := none
	for newest != none {
		n := q.nodes.at(newest)
		newer := newest
		newest = ref(n.next.Load())
		n.next.Store(uint32(oldest))
		oldest = newer
	}
	return Batch[T]{nodes: &q.nodes, next: oldest}
}

// A Batch is what one Take or Close returned. It belongs to the owner and may be
// read in pieces, over several turns; what is not read is not delivered. The
// zero Batch is empty.
type Batch[T any] struct {
	nodes *slab[T]
	next  ref
}

// Empty reports whether all of the batch has been read.
func (b *Batch[T]) Empty() bool { return b.next == none }

// Next returns the oldest value that has not been read; ok is false at the end.
func (b *Batch[T]) Next() (v T, ok bool) {
	if b.next == none {
		return v, false
	}
	r := b.next
	n := b.nodes.at(r)
	b.next = ref(n.next.Load())
	v = n.value
	b.nodes.put(r, n)
	return v, true
}
