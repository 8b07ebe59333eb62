package uring

import "ringo/internal/abi"

// # Nothing, and messages between rings

// PrepNop fills in an op that does nothing and succeeds (Linux 5.1). See io_uring_prep_nop(3).
func (e *SQE) PrepNop() {
	e.prep(OpNop, -1, 0, 0, 0, 0)
}

// PrepNopFlags is like PrepNop, but imitates parts of other ops, for tests (Linux 6.10). flags are Nop constants;
// afterwards set the fields that their comments mention.
func (e *SQE) PrepNopFlags(flags uint32) {
	e.prep(OpNop, -1, 0, 0, 0, flags)
}

// PrepNop128 is PrepNop in an entry of 128 bytes (Linux 6.19), on a ring that has such entries. See
// io_uring_prep_nop128(3).
func (e *SQE) PrepNop128() {
	e.prep(OpNop128, -1, 0, 0, 0, 0)
}

// PrepMsgRing fills in a message to another ring (Linux 5.18): a CQE with this user data and result appears there and
// wakes a waiting thread. ringFD is the other ring's FD. EBADFD: ringFD is not a ring; EOVERFLOW: its CQ is full, and
// the kernel has no memory to keep the message until there is room. See io_uring_prep_msg_ring(3).
func (e *SQE) PrepMsgRing(ringFD int, res int32, userData uint64) {
	e.prep(OpMsgRing, ringFD, abi.IORING_MSG_DATA, uint32(res), userData, 0)
}

// PrepMsgRingFlags is PrepMsgRing whose CQE also has these flags (Linux 6.3). See io_uring_prep_msg_ring_cqe_flags(3).
func (e *SQE) PrepMsgRingFlags(ringFD int, res int32, userData uint64, cqeFlags uint32) {
	e.prep(OpMsgRing, ringFD, abi.IORING_MSG_DATA, uint32(res), userData, abi.IORING_MSG_RING_FLAGS_PASS)
	e.FileIndex = cqeFlags
}
