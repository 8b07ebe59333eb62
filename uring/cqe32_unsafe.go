package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// A CQE32 is a completion of 32 bytes: some ops, such as OpUringCmd of NVMe and OpRecvZC, return more than a result.
// Extra is zero if the completion had 16 bytes.
type CQE32 struct {
	CQE
	Extra [2]uint64
}

// CQE32 is like CQE for completions of 32 bytes: those of rings with SetupCQE32 (Linux 5.19), and some of rings with
// SetupCQEMixed (Linux 6.18). It may be called on every ring.
//
// Only the owner may call it. It never waits and makes no system call.
func (r *Ring) CQE32() (CQE32, bool) {
	c, next, ok := r.oneAt(r.cqHead)
	if ok {
		r.give(next)
	}
	return c, ok
}

// Drain32 is like Drain, for completions of 32 bytes.
//
// Only the owner may call it. It never waits.
func (r *Ring) Drain32(into []CQE32) int {
	for i := range into {
		c, ok := r.CQE32()
		if !ok {
			return i
		}
		into[i] = c
	}
	return len(into)
}

// cqeShift returns the size of a place in the CQ, as a power of two.
func cqeShift(f SetupFlags) uint8 {
	if f&SetupCQE32 != 0 {
		return 5
	}
	return 4
}

// oneAt copies the completion at an index, on any kind of ring, and returns the index of the next one. ok is false if
// there is none.
func (r *Ring) oneAt(i uint32) (c CQE32, next uint32, ok bool) {
	tail := r.cqMade.Load() // acquires, as in lookForCQEs
	for ; i != tail; i++ {
		p := unsafe.Pointer(r.at(i))
		switch c.CQE = *(*CQE)(p); {
		case r.setup&SetupCQE32 != 0:
			return *(*CQE32)(p), i + 1, true
		case r.setup&SetupCQEMixed == 0:
			return c, i + 1, true
		case c.Flags&abi.IORING_CQE_F_SKIP != 0: // padding at the CQ's end
		case c.Flags&abi.IORING_CQE_F_32 != 0: // never at the CQ's end
			return *(*CQE32)(p), i + 2, true
		default:
			return c, i + 1, true
		}
	}
	return CQE32{}, i, false
}
