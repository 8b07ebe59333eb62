package uring

import (
	"fmt"
	"iter"
	"unsafe"

	"ringo/internal/abi"
)

const cqeSize = 16

// The structs are the kernel's, and stay so.
var (
	_ [unsafe.Sizeof(abi.Io_uring_cqe{})]byte = [unsafe.Sizeof(CQE{})]byte{}
	_ [2 * cqeSize]byte                       = [unsafe.Sizeof(CQE32{})]byte{}
)

// at returns the CQE at an index, which the kernel may overwrite as soon as the head has passed it.
func (r *Ring) at(i uint32) *CQE {
	return (*CQE)(unsafe.Add(r.cqes, uintptr(i&r.cqMask)*r.cqSize))
}

// CQE removes and returns the oldest completion, as a copy. On a ring with SetupCQE32 it returns a completion's first
// half; CQE32 returns both. On one with SetupCQEMixed it never finds any: only CQE32, Drain32, Peek and CQEs support
// both sizes, so that other rings do not pay for it.
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
	show(r.cqShown.head, r.cqHead)
	return c, true
}

// lookForCQEs takes over the kernel's CQ tail and says whether it has moved.
//
// The load acquires the CQEs, which the kernel wrote before it released the tail.
func (r *Ring) lookForCQEs() bool {
	r.cqTail = r.cqShown.tail.Load()
	return r.cqTail != r.cqHead
}

// Drain moves completions, oldest first, to into until there are none or into is full, and returns their number. It
// moves the head once, so it is cheaper for many. Like CQE it does not support SetupCQEMixed.
//
// Only the owner may call it. It never waits.
func (r *Ring) Drain(into []CQE) int {
	r.cqTail = r.cqShown.tail.Load() // acquires, as in lookForCQEs
	head := r.cqHead
	into = into[:min(uint32(len(into)), r.cqTail-head)]
	if len(into) == 0 {
		return 0
	}
	for i := range into {
		into[i] = *r.at(head)
		head++
	}
	r.cqHead = head
	show(r.cqShown.head, head) // releases all copies, as in CQE
	return len(into)
}

// CQEs removes and returns completions, oldest first, in a range loop, until there are none or the loop ends. The loop
// may call Enter, Wait and CQE; what it has got is no longer in the ring.
//
//	for c := range r.CQEs() { … }
//
// Only the owner may call it. It never waits and makes no system call.
func (r *Ring) CQEs() iter.Seq[CQE] {
	return func(yield func(CQE) bool) {
		for r.cqHead != r.cqTail || r.lookForCQEs() {
			c := *r.at(r.cqHead)
			r.cqHead++
			show(r.cqShown.head, r.cqHead) // as in CQE, before the loop waits, or panics
			if !yield(c) {
				return
			}
		}
		for r.setup&SetupCQEMixed != 0 {
			c, ok := r.CQE32()
			if !ok || !yield(c.CQE) {
				return
			}
		}
	}
}

// Peek copies completions, oldest first, until there are no more or into is full, and returns their number. They stay
// in the ring until Advance.
//
// Only the owner may call it. It never waits.
func (r *Ring) Peek(into []CQE) int {
	head := r.cqHead
	for i := range into {
		c, next, ok := r.oneAt(head)
		if !ok {
			return i
		}
		into[i], head = c.CQE, next
	}
	return len(into)
}

// Advance removes the n oldest completions, as counted by Peek, from the ring. It panics if there are fewer.
//
// Only the owner may call it. It never waits.
func (r *Ring) Advance(n int) {
	head := r.cqHead
	for i := range n {
		_, next, ok := r.oneAt(head)
		if !ok {
			panic(fmt.Sprintf("uring: advance over %d CQEs of %d", n, i))
		}
		head = next
	}
	r.give(head)
}

// give moves the head: the places before it are the kernel's.
func (r *Ring) give(head uint32) {
	r.cqHead = head
	if r.setup&SetupCQEMixed != 0 {
		r.cqTail = head // CQE and Drain find the CQ empty
		r.none.Store(head)
	} else if int32(r.cqTail-head) < 0 {
		r.cqTail = head
	}
	show(r.cqShown.head, head)
}

// CQReady returns how many completions are in the ring, available without a system call. With SetupCQEMixed one of 32
// bytes counts as two, and padding at the CQ's end as one.
func (r *Ring) CQReady() int { return int(r.cqMade.Load() - r.cqHead) }

// NeedsEnter reports whether the kernel has completions that it posts only at an Enter with getEvents: deferred work
// (needs SetupTaskrunFlag), or CQEs that found the CQ full. It is a single load; call it before skipping an Enter.
func (r *Ring) NeedsEnter() bool {
	return r.sqShown.flags.Load()&(abi.IORING_SQ_TASKRUN|abi.IORING_SQ_CQ_OVERFLOW) != 0
}

// Overflowed reports whether CQEs wait in the kernel because the CQ is full. With FeatNoDrop none is lost: take some,
// then Enter with getEvents, until this is false.
func (r *Ring) Overflowed() bool {
	return r.sqShown.flags.Load()&abi.IORING_SQ_CQ_OVERFLOW != 0
}

// Lost returns how many CQEs the kernel has dropped; the counter wraps. With FeatNoDrop it stays 0 unless the kernel
// runs out of memory.
func (r *Ring) Lost() uint32 { return r.cqShown.overflow.Load() }

// SetEventfd turns the signals of the registered eventfd off and on, without a system call (Linux 5.8; a *FeatureError
// before). By default they are on. Completions while they are off are never signalled.
//
// Only the owner may call it. See io_uring_register(2), IORING_REGISTER_EVENTFD, and IORING_CQ_EVENTFD_DISABLED there.
func (r *Ring) SetEventfd(on bool) error {
	f := r.cqShown.flags
	if f == nil {
		return &FeatureError{Name: "CQ_EVENTFD_DISABLED", Since: "5.8"}
	}
	if on {
		f.And(^uint32(abi.IORING_CQ_EVENTFD_DISABLED))
	} else {
		f.Or(abi.IORING_CQ_EVENTFD_DISABLED)
	}
	return nil
}

// EventfdOn reports whether signals of the registered eventfd are on; see SetEventfd.
func (r *Ring) EventfdOn() bool {
	f := r.cqShown.flags
	return f == nil || f.Load()&abi.IORING_CQ_EVENTFD_DISABLED == 0
}
