package uring

import "unsafe"

// # Wait for processes and futexes

// PrepWaitid fills in a waitid(2) (Linux 6.7). idType is P_PID, P_PGID, P_PIDFD or P_ALL, options are WEXITED and the
// like. The kernel writes to info, a struct siginfo, which belongs to it until the CQE; nil means that it is not
// needed. The wait occupies no kernel thread. ECHILD: there is no such child. See io_uring_prep_waitid(3).
func (e *SQE) PrepWaitid(idType, id int, info unsafe.Pointer, options uint32) {
	e.prep(OpWaitid, id, 0, uint32(idType), ptr(info), 0)
	e.FileIndex = options
}

// Flags of futexes, FUTEX2_ of linux/futex.h.
const (
	FutexU32     = 0x02 // the word has 32 bits: must be set
	FutexPrivate = 0x80 // all users of the word are in this process

	FutexAnyone = 0xffffffff // the mask that matches every mask
)

// PrepFutexWait fills in a wait until a futex is woken (Linux 6.7), provided that the word still is val when the kernel
// looks: otherwise the error is EAGAIN. Only wakes whose mask shares a bit with this one count; futex(2) wakes it, too.
// flags are Futex constants. The kernel and the program share the word until the CQE; access it by atomics only. For a
// time limit use PrepLinkTimeout. See io_uring_prep_futex_wait(3).
func (e *SQE) PrepFutexWait(word *uint32, val, mask uint32, flags uint32) {
	e.prep(OpFutexWait, int(flags), ptr(unsafe.Pointer(word)), 0, uint64(val), 0)
	e.Addr3 = uint64(mask)
}

// PrepFutexWake fills in a wake of at most n waiters of the futex whose mask shares a bit with this one (Linux 6.7),
// whether they wait by an op or by futex(2). The result is their number. See io_uring_prep_futex_wake(3).
func (e *SQE) PrepFutexWake(word *uint32, n, mask uint32, flags uint32) {
	e.prep(OpFutexWake, int(flags), ptr(unsafe.Pointer(word)), 0, uint64(n), 0)
	e.Addr3 = uint64(mask)
}

// PrepFutexWaitv fills in a wait until one of the futexes, 128 at most, is woken (Linux 6.7); the result is its index.
// EAGAIN: one of the words no longer has its value. The kernel copies the waiters when it consumes the entry; the rules
// for the words are those of PrepFutexWait. See io_uring_prep_futex_waitv(3).
func (e *SQE) PrepFutexWaitv(waiters []FutexWaiter) {
	e.prep(OpFutexWaitv, 0, ptr(unsafe.Pointer(unsafe.SliceData(waiters))), uint32(len(waiters)), 0, 0)
}

// A FutexWaiter is the kernel's struct futex_waitv: a futex, and its expected value.
type FutexWaiter struct {
	Val   uint64
	Addr  uint64 // of the word
	Flags uint32 // Futex constants
	_     uint32
}

// Set sets the fields. The word must stay reachable by other means until the CQE.
func (w *FutexWaiter) Set(word *uint32, val, flags uint32) {
	*w = FutexWaiter{Val: uint64(val), Addr: ptr(unsafe.Pointer(word)), Flags: flags}
}
