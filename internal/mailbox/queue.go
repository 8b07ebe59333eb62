package mailbox

import (
	"math"
	"sync/atomic"
)

// A Queue carries values from any number of senders to one owner. The zero value is open and empty. Values of one
// sender arrive in the order in which it pushed them; values of several senders arrive in the order in which their
// pushes took effect.
//
// It is a stack of nodes. Senders push onto it with compare-and-swap; the owner takes the whole stack with one swap,
// and reverses it. Because the owner takes all nodes at once, it is safe to reuse them: a push only states that its
// node lies on top of the present top, and that stays true if the same node was taken and came back in the meantime.
// Nodes come from a [slab], so steady state allocates nothing.
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

// Push adds v and returns true, or returns false if the queue is closed. Any goroutine may call it; it never waits.
// [Queue.Take] or [Queue.Close] delivers each value that was accepted, exactly once.
func (q *Queue[T]) Push(v T) bool {
	if q.Closed() {
		return false
	}
	r, n := q.nodes.get()
	n.value = v
	for {
		// This load pairs with the swap in Close: shut is final, so a push either comes before Close, which returns
		// its value in rest, or is refused here.
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

// Empty reports whether there is nothing to take. Any goroutine may call it.
func (q *Queue[T]) Empty() bool {
	head := ref(q.head.Load())
	return head == none || head == shut
}

// Closed reports whether pushes are refused. Any goroutine may call it.
func (q *Queue[T]) Closed() bool { return ref(q.head.Load()) == shut }

// Take removes everything that is in the queue and returns it, oldest first. Only the owner may call it; it never
// waits. Later values are for the next Take, so a batch has an end.
func (q *Queue[T]) Take() Batch[T] {
	if q.Empty() {
		return Batch[T]{} // without the swap, which would take the cache line from the senders
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

// CloseEmpty closes the queue and returns true if there is nothing to take. Otherwise the queue stays open and it
// returns false. Only the owner may call it.
func (q *Queue[T]) CloseEmpty() bool { return q.head.CompareAndSwap(uint32(none), uint32(shut)) }

// turn reverses a chain that begins with the newest node into a batch, which begins with the oldest.
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

// A Batch is the result of one Take or Close. It belongs to the owner, which may read it in pieces, over several turns.
// Values that it does not read are not delivered. The zero Batch is empty.
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
