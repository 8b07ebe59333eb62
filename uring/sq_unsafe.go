package uring

import "unsafe"

// SQE returns the next free entry of the submission queue, zeroed, or nil if all are taken: then call Enter first. The
// next Enter submits the entries, in the order of the calls. An entry must be prepared by then; a zeroed one is a NOP.
// Close and Resize unmap its memory, see type SQE. On a ring with SetupSQE128 it is the first half of an entry whose
// second half is not zeroed; SQE128 returns both.
//
// Only the owner may call it. It never waits.
func (r *Ring) SQE() *SQE {
	if r.sqTail-r.sqHead > r.sqMask {
		return nil
	}
	e := (*SQE)(unsafe.Add(r.sqes, uintptr(r.sqTail&r.sqMask)<<(r.sqShift&7)))
	r.sqTail++
	*e = SQE{}
	return e
}

// sqeAt returns the entry with this number.
func (r *Ring) sqeAt(i uint32) *SQE {
	return (*SQE)(unsafe.Add(r.sqes, uintptr(i&r.sqMask)<<(r.sqShift&7)))
}

// sqeShift returns the size of a place in the SQ, as a power of two.
func sqeShift(f SetupFlags) uint8 {
	if f&SetupSQE128 != 0 {
		return 7
	}
	return 6
}

// An SQE128 is an entry of 128 bytes: an SQE with its Prep methods, and 64 more bytes. Linux uses it for driver
// commands (OpUringCmd, such as NVMe's) and NOPs for tests. Like an SQE it must not be accessed after Ring.Close and
// Ring.Resize.
type SQE128 struct {
	SQE
	Rest [64]byte
}

var _ [2 * sqeSize]byte = [unsafe.Sizeof(SQE128{})]byte{}

// whole returns the entry of 128 bytes that begins at e.
func whole(e *SQE) *SQE128 { return (*SQE128)(unsafe.Pointer(e)) }

// Command returns the bytes of the entry that hold a driver's command: all 80 after the first 48. They are the entry's
// own memory, which Close and Resize unmap.
func (e *SQE128) Command() *[80]byte { return (*[80]byte)(unsafe.Pointer(&e.Addr3)) }

// SQE128 is like SQE, for an entry of 128 bytes: zeroed, or nil if there is no room. The ring must have been opened
// with SetupSQE128 (Linux 5.19), whose entries all have this size, or with SetupSQEMixed (Linux 6.19); on other rings
// SQE128 panics. With SetupSQEMixed the entry takes two places. If those would be the SQ's last and its first, SQE128
// also fills the last place, with a NOP that leaves no CQE. There such an entry must have an op for this size (NOP128,
// URING_CMD128). Close and Resize unmap the entry's memory, as for SQE.
//
// Only the owner may call it. It never waits.
func (r *Ring) SQE128() *SQE128 {
	switch {
	case r.setup&SetupSQE128 != 0:
		e := r.SQE()
		if e == nil {
			return nil
		}
		whole(e).Rest = [64]byte{}
		return whole(e)
	case r.setup&SetupSQEMixed == 0:
		panic("uring: SQE128 of a ring with flags " + r.setup.String())
	}
	need, last := 2, r.sqTail&r.sqMask == r.sqMask
	if last {
		need = 3
	}
	if r.SQSpace() < need {
		return nil
	}
	if last {
		e := r.SQE()
		e.PrepNop()
		e.SetFlags(SQECQESkipSuccess)
	}
	e := whole(r.sqeAt(r.sqTail))
	r.sqTail += 2
	*e = SQE128{}
	return e
}

// SQSpace returns how many entries SQE can still return before the next Enter.
func (r *Ring) SQSpace() int { return int(r.sqMask + 1 - (r.sqTail - r.sqHead)) }

// SQPending returns the number of entries from SQE that the kernel had not consumed at the last Enter. The next Enter
// submits them. An entry of 128 bytes counts as two with SetupSQEMixed. A closed ring has none.
func (r *Ring) SQPending() int {
	if r.closed {
		return 0 // detach has made it look full, and the entries are gone
	}
	return int(r.sqTail - r.sqHead)
}

// EachPending calls f for each entry that SQPending counts, the oldest first: these are the entries that the kernel
// will never see if Enter fails permanently. With Config.SQPoll the kernel's thread may take them meanwhile.
// EachPending ends if f calls Close, which also invalidates e.
func (r *Ring) EachPending(f func(e *SQE)) {
	for i := r.sqHead; i != r.sqTail && !r.closed; i++ {
		e := r.sqeAt(i)
		if r.setup&SetupSQEMixed != 0 && e.Op.takesTwo() {
			i++
		}
		f(e)
	}
}

// takesTwo reports whether an entry of this op takes two places on a ring with entries of both sizes: NOP128 and
// URING_CMD128.
func (o Op) takesTwo() bool { return o == OpNop128 || o == OpUringCmd128 }

// lookAtHead updates sqHead from the kernel's SQ head, and returns by how much it has moved.
//
// The load acquires what the kernel released once it had read the entries: from then on they may be overwritten.
func (r *Ring) lookAtHead() int {
	head := r.sqShown.head.Load()
	moved := head - r.sqHead
	if moved > r.sqTail-r.sqHead {
		panicHead(head, r.sqHead, r.sqTail)
	}
	r.sqHead = head
	return int(moved)
}

// rewind is lookAtHead for a ring with SetupSQRewind, whose kernel does not move the head: the kernel has taken n
// entries from the SQ's beginning, and rewind moves the rest there for the next call.
func (r *Ring) rewind(n int) {
	left := int(r.sqTail) - n
	places := unsafe.Slice((*byte)(r.sqes), int(r.sqMask+1)<<(r.sqShift&7))
	copy(places, places[n<<(r.sqShift&7):][:left<<(r.sqShift&7)])
	r.sqTail = uint32(left)
}
