package uring

import "unsafe"

// SQE returns the next free entry of the submission queue, zeroed, or nil when all are taken: Enter first, then.
// The entry is the kernel's from the next Enter on, in the order of the calls. It must be prepared by then; one left
// alone is a NOP.
//
// Only the owner may call it. It never waits.
func (r *Ring) SQE() *SQE {
	if r.sqTail-r.sqHead > r.sqMask {
		return nil
	}
	e := (*SQE)(unsafe.Add(r.sqes, uintptr(r.sqTail&r.sqMask)*sqeSize))
	r.sqTail++
	*e = SQE{}
	return e
}

// SQSpace returns how many entries SQE can still hand out before the next Enter.
func (r *Ring) SQSpace() int { return int(r.sqMask + 1 - (r.sqTail - r.sqHead)) }

// SQPending returns how many entries were handed out and had not been consumed by the kernel when Enter last looked.
// The next Enter submits them.
func (r *Ring) SQPending() int { return int(r.sqTail - r.sqHead) }

// EachPending calls f for each of the entries that SQPending counts, the oldest first: what the kernel will never see
// of a ring whose Enter fails for good. With Config.SQPoll its thread may take them meanwhile.
func (r *Ring) EachPending(f func(e *SQE)) {
	for i := r.sqHead; i != r.sqTail; i++ {
		f((*SQE)(unsafe.Add(r.sqes, uintptr(i&r.sqMask)*sqeSize)))
	}
}

// lookAtHead takes over the kernel's SQ head, and returns by how much it has moved.
//
// The load acquires what the kernel released when it had read the entries: from then on they may be overwritten.
func (r *Ring) lookAtHead() int {
	head := r.sqShown.head.Load()
	moved := head - r.sqHead
	if moved > r.sqTail-r.sqHead {
		panicHead(head, r.sqHead, r.sqTail)
	}
	r.sqHead = head
	return int(moved)
}
