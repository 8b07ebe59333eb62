package uring

import "unsafe"

// SQE returns the next free entry of the submission queue, zeroed, or nil when all are taken: then Enter or Submit first.
// The entry is the kernel's from the next Enter on, in the order of the calls. It must be prepared by then; one left
// alone is a NOP.
//
// Only the owner may call it. It never waits.
func (r *Ring) SQE() *SQE {
	if r.sqTail-r.sqHead > r.sqMask && !r.lookForSpace() {
		return nil
	}
	e := (*SQE)(unsafe.Add(r.sqes, uintptr(r.sqTail&r.sqMask)*sqeSize))
	r.sqTail++
	*e = SQE{}
	return e
}

// lookForSpace asks how far a polling kernel thread has come; without one the head moves in Enter only.
func (r *Ring) lookForSpace() bool {
	if r.closed || r.setup&SetupSQPoll == 0 {
		return false
	}
	r.lookAtHead()
	return r.sqTail-r.sqHead <= r.sqMask
}

// lookAtHead takes over the kernel's SQ head, and returns by how much it has moved.
//
// The load acquires what the kernel released when it had read the entries: from then on they may be overwritten.
func (r *Ring) lookAtHead() uint32 {
	head := r.sqShown.head.Load()
	moved := head - r.sqHead
	if moved > r.sqTail-r.sqHead {
		panicHead(head, r.sqHead, r.sqTail)
	}
	r.sqHead = head
	return moved
}

// SQSpace returns how many entries SQE can still hand out.
func (r *Ring) SQSpace() int {
	r.lookForSpace()
	return int(r.sqMask + 1 - (r.sqTail - r.sqHead))
}

// SQPending returns how many entries were handed out and are not yet consumed by the kernel. The next Enter submits them.
func (r *Ring) SQPending() int {
	if r.setup&SetupSQPoll != 0 && !r.closed {
		r.lookAtHead()
	}
	return int(r.sqTail - r.sqHead)
}
