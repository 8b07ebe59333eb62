package uring

import (
	"fmt"
	"iter"
	"unsafe"

	"ringo/internal/abi"
)

const cqeSize = 16

// A struct whose size differs from the kernel's does not compile.
var (
	_ [unsafe.Sizeof(abi.Io_uring_cqe{})]byte = [unsafe.Sizeof(CQE{})]byte{}
	_ [2 * cqeSize]byte                       = [unsafe.Sizeof(CQE32{})]byte{}
)

// at returns the CQE at an index. The kernel may overwrite it as soon as the head has passed it.
func (r *Ring) at(i uint32) *CQE {
	return (*CQE)(unsafe.Add(r.cqes, uintptr(i&r.cqMask)*r.cqSize))
}

// CQE removes and returns the oldest completion, as a copy; it returns false if there is none. On a ring with
// SetupCQE32 it returns a completion's first half; CQE32 returns both. On a ring with SetupCQEMixed it never finds a
// completion: only CQE32, Drain32, Peek and CQEs support both sizes, so that other rings do not pay for it.
//
// Only the owner may call it. It never waits and makes no system call, so with SetupDeferTaskrun it sees only the
// completions that the kernel posted at the last Enter; see NeedsEnter.
func (r *Ring) CQE() (CQE, bool) {
	if r.cqHead == r.cqTail && !r.lookForCQEs() {
		return CQE{}, false
	}
	c := *r.at(r.cqHead)
	r.cqHead++
	// The store releases the place to the kernel, which acquires the head before it overwrites it.
	show(r.cqShown.head, r.cqHead)
	return c, true
}

// lookForCQEs updates cqTail from the kernel's CQ tail and reports whether there are CQEs.
//
// The load acquires the CQEs, which the kernel wrote before it released the tail.
func (r *Ring) lookForCQEs() bool {
	r.cqTail = r.cqShown.tail.Load()
	return r.cqTail != r.cqHead
}

// Drain removes completions, oldest first, and copies them to into, until there are none or into is full. It returns
// their number. It moves the head once, so for many completions it is cheaper than CQE. Like CQE it does not support
// SetupCQEMixed.
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
	show(r.cqShown.head, head) // releases all the places, as in CQE
	return len(into)
}

// CQEs removes and returns completions, oldest first, in a range loop, until there are none or the loop ends. The
// loop's body may call Enter, Wait and CQE: a completion has left the ring before the body gets it.
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

// Peek copies completions, oldest first, until there are no more or into is full, and returns their number. The
// completions stay in the ring until Advance.
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

// Advance removes the n oldest completions from the ring, counted as Peek counts them. It panics if there are fewer.
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

// give moves the head, which gives the places before it back to the kernel.
func (r *Ring) give(head uint32) {
	r.cqHead = head
	if r.setup&SetupCQEMixed != 0 {
		r.cqTail = head // so that CQE and Drain find the CQ empty
		r.none.Store(head)
	} else if int32(r.cqTail-head) < 0 {
		r.cqTail = head
	}
	show(r.cqShown.head, head)
}

// CQReady returns how many completions are in the ring, available without a system call. With SetupCQEMixed a
// completion of 32 bytes counts as two, and padding at the CQ's end as one.
func (r *Ring) CQReady() int { return int(r.cqMade.Load() - r.cqHead) }

// NeedsEnter reports whether the kernel has completions that it posts only at an Enter with getEvents: deferred ones
// (reported only with SetupTaskrunFlag), or CQEs for which the CQ had no room. It is a single load; call it before
// skipping an Enter.
func (r *Ring) NeedsEnter() bool {
	return r.sqShown.flags.Load()&(abi.IORING_SQ_TASKRUN|abi.IORING_SQ_CQ_OVERFLOW) != 0
}

// Overflowed reports whether CQEs wait in the kernel because the CQ is full. With FeatNoDrop none is lost: take some
// from the CQ, then call Enter with getEvents, and repeat until Overflowed returns false.
func (r *Ring) Overflowed() bool {
	return r.sqShown.flags.Load()&abi.IORING_SQ_CQ_OVERFLOW != 0
}

// Lost returns how many CQEs the kernel has dropped; the counter wraps. With FeatNoDrop it stays 0 unless the kernel
// runs out of memory.
func (r *Ring) Lost() uint32 { return r.cqShown.overflow.Load() }

// SetEventfd turns the signals of the registered eventfd on or off, without a system call (Linux 5.8; a *FeatureError
// before). By default they are on. A completion that is posted while they are off is never signalled.
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
