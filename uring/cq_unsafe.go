package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

const cqeSize = 16

// The struct is the kernel's, and stays so.
var _ [unsafe.Sizeof(abi.Io_uring_cqe{})]byte = [unsafe.Sizeof(CQE{})]byte{}

// at returns the CQE at an index, which the kernel may overwrite as soon as the head has passed it.
func (r *Ring) at(i uint32) *CQE {
	return (*CQE)(unsafe.Add(r.cqes, uintptr(i&r.cqMask)*cqeSize))
}

// CQE takes the oldest completion. It is a copy: its place in the ring is the kernel's again.
//
// Only the owner may call it. It never waits and makes no system call, so with SetupDeferTaskrun it sees only what the
// last Enter let the kernel make; see NeedsEnter.
func (r *Ring) CQE() (CQE, bool) {
	if r.cqHead == r.cqTail && !r.lookForCQEs() {
		return CQE{}, false
	}
	c := *r.at(r.cqHead)
	r.cqHead++
	// releases the copy above to the kernel, which acquires the head before it writes there
	r.cqShown.head.Store(r.cqHead)
	return c, true
}

// lookForCQEs takes over the kernel's CQ tail and says whether it has moved.
//
// The load acquires the CQEs, which the kernel wrote before it released the tail.
func (r *Ring) lookForCQEs() bool {
	r.cqTail = r.cqShown.tail.Load()
	return r.cqTail != r.cqHead
}

// Drain takes completions, oldest first, until there are none or into is full, and returns their number. It moves the
// head once, so it is the cheaper way to take many.
//
// Only the owner may call it. It never waits.
func (r *Ring) Drain(into []CQE) int {
	r.cqTail = r.cqShown.tail.Load() // acquires, as in lookForCQEs
	into = into[:min(uint32(len(into)), r.cqTail-r.cqHead)]
	if len(into) == 0 {
		return 0
	}
	head := r.cqHead
	for i := range into {
		into[i] = *r.at(head)
		head++
	}
	r.cqHead = head
	r.cqShown.head.Store(head) // releases all copies, as in CQE
	return len(into)
}

// CQReady returns how many completions are in the ring, to be taken without a system call.
func (r *Ring) CQReady() int { return int(r.cqShown.tail.Load() - r.cqHead) }

// NeedsEnter says whether the kernel has completions that it shows only at an Enter with getEvents: work deferred to
// that moment (needs SetupTaskrunFlag), or CQEs that found the CQ full. One load; call it before going without Enter.
func (r *Ring) NeedsEnter() bool {
	return r.sqShown.flags.Load()&(abi.IORING_SQ_TASKRUN|abi.IORING_SQ_CQ_OVERFLOW) != 0
}

// Overflowed says whether CQEs wait in the kernel because the CQ is full. With FeatNoDrop none is lost: take some, then
// Enter with getEvents, until this is false.
func (r *Ring) Overflowed() bool {
	return r.sqShown.flags.Load()&abi.IORING_SQ_CQ_OVERFLOW != 0
}

// Lost returns how many CQEs the kernel threw away, a counter that wraps. With FeatNoDrop it stays 0 but for want of
// memory in the kernel.
func (r *Ring) Lost() uint32 { return r.cqShown.overflow.Load() }
