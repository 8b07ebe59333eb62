package uring

import (
	"fmt"
	"os"
	"time"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Enter submits all pending entries to the kernel and waits until at least min CQEs are in the ring. It is the only
// call that a loop needs per turn, and a thin one: it never allocates, never retries (but see Config.KeepP), and
// returns every errno, including EINTR, EAGAIN, EBUSY and ETIME.
//
// With min 0 it does not wait, whatever timeout is. getEvents, implied by min > 0, makes the kernel post the CQEs that
// it has deferred, or for which the CQ had no room. A timeout ≥ 0 limits the wait, which then ends with ETIME; a
// negative timeout means no limit. To check for CQEs without waiting, use min 0 and getEvents: with min > 0 and a
// timeout of 0 the kernel still sleeps, for some 20 µs (BenchmarkTimeout). The timeout needs FeatExtArg: without it a
// call with min > 0 and timeout ≥ 0 submits nothing and returns EINVAL; use a PrepTimeout entry there.
//
// consumed is the number of entries that the kernel took, read from the SQ's head and valid even with an errno; the
// others stay pending, in order, for the next Enter. The kernel does not wait if it could not take all entries, and
// does not report how the wait ended if it took any. So always check the CQ afterwards, and never conclude from errno 0
// that min CQEs are there.
//
// A call that waits tells Go's scheduler so, see also Config.KeepP. A call that does not wait is a RawSyscall: that is
// cheap, but entries that do slow work at once, such as large buffered reads of files, delay the garbage collector
// meanwhile; use Submit for those. If completions were mostly available as soon as the entries were submitted, a call
// that waits begins with a RawSyscall, too. Enter times one in 64 of these, and stops making them for a while after one
// that took more than 50 µs. So with slow entries up to 64 calls delay the collector, and from then on one in some 64,
// each for as long as its entries take.
//
// Only the owner may call it. Another thread gets EEXIST.
func (r *Ring) Enter(min uint32, getEvents bool, timeout time.Duration) (consumed int, errno Errno) {
	if r.special || min != 0 && timeout >= 0 && r.features&FeatExtArg == 0 {
		return r.enterSpecial(min, getEvents, timeout)
	}
	pending := r.sqTail - r.sqHead
	if pending != 0 {
		show(r.sqShown.tail, r.sqTail) // releases the entries; the kernel acquires the tail in the call below
	}
	flags := r.enterFlags
	if min != 0 {
		flags |= abi.IORING_ENTER_GETEVENTS
		if !r.quick.isUsual() {
			return r.enterWaiting(min, flags, timeout)
		}
	} else if getEvents {
		flags |= abi.IORING_ENTER_GETEVENTS
	}
	errno = sys.UringEnterNow(r.enterFD, pending, flags)
	if head := r.sqShown.head.Load(); head-r.sqHead == pending {
		consumed, r.sqHead = int(pending), head // the usual case of lookAtHead
	} else {
		consumed = r.lookAtHead()
	}
	if min != 0 && r.CQReady() < int(min) {
		return r.enterBehind(consumed, errno, min, flags, timeout)
	}
	return consumed, r.explained(errno)
}

// explained is explain, with a short path for 0.
func (r *Ring) explained(errno posix.Errno) posix.Errno {
	if errno != 0 {
		errno = r.explain(errno)
	}
	return errno
}

func (r *Ring) timeoutFlag(timeout time.Duration) uint32 {
	if timeout < 0 {
		return 0
	}
	return abi.IORING_ENTER_EXT_ARG
}

// timeoutArg returns the argument that carries the timeout, or nil for none. The argument and the time lie in the Ring,
// and so on the heap.
func (r *Ring) timeoutArg(timeout time.Duration) *abi.Io_uring_getevents_arg {
	if timeout < 0 {
		return nil
	}
	r.ts = NewTimespec(timeout)
	return &r.arg
}

// enterSpecial is Enter for misuse, and for rings that are closed, polled by a kernel thread (SQPoll), rewound
// (SetupSQRewind), run on a stand-in for the kernel, or checked for their owner.
func (r *Ring) enterSpecial(min uint32, getEvents bool, timeout time.Duration) (consumed int, errno posix.Errno) {
	switch {
	case r.closed:
		return 0, posix.EBADF
	case min != 0 && timeout >= 0 && r.features&FeatExtArg == 0:
		return 0, posix.EINVAL
	case checkOwner && !r.anyone && sys.UringThread() != r.owner:
		return 0, posix.EEXIST
	}
	return r.enterSlow(min, getEvents, timeout)
}

// enterSlow is the general form of the call: it works for any kind of ring and always tells the scheduler.
func (r *Ring) enterSlow(min uint32, getEvents bool, timeout time.Duration) (consumed int, errno posix.Errno) {
	pending := r.sqTail - r.sqHead
	before := r.sqHead
	r.sqShown.tail.Store(r.sqTail)
	flags := r.enterFlags
	var arg *abi.Io_uring_getevents_arg
	if getEvents || min != 0 {
		flags |= abi.IORING_ENTER_GETEVENTS
	}
	if min != 0 {
		flags |= r.timeoutFlag(timeout)
		arg = r.timeoutArg(timeout)
	}
	if r.setup&SetupSQRewind != 0 {
		return r.enterRaw(min, flags, addressOf(arg), getEventsArgSize)
	}
	call := true
	if r.setup&SetupSQPoll != 0 {
		// The store of the tail above must come before this load, or both sides could go to sleep: Go's atomics are
		// sequentially consistent.
		if r.sqShown.flags.Load()&abi.IORING_SQ_NEED_WAKEUP != 0 {
			flags |= abi.IORING_ENTER_SQ_WAKEUP
		}
		call = flags&(abi.IORING_ENTER_SQ_WAKEUP|abi.IORING_ENTER_GETEVENTS) != 0
	}
	if call {
		if r.kernel != nil {
			errno = r.kernel.Enter(r.enterFD, pending, min, flags, arg)
		} else {
			errno = sys.UringEnter(r.enterFD, pending, min, flags, arg)
		}
	}
	r.lookAtHead()
	return int(r.sqHead - before), r.explain(errno)
}

// enterRaw makes the call with any argument. It tells the scheduler, and returns how many entries the kernel has
// consumed.
func (r *Ring) enterRaw(min, flags uint32, arg, size uintptr) (consumed int, errno posix.Errno) {
	switch {
	case r.closed:
		return 0, posix.EBADF
	case checkOwner && !r.anyone && sys.UringThread() != r.owner:
		return 0, posix.EEXIST
	}
	pending, before := r.sqTail-r.sqHead, r.sqHead
	r.sqShown.tail.Store(r.sqTail)
	flags |= r.enterFlags
	if r.setup&SetupSQPoll != 0 && r.sqShown.flags.Load()&abi.IORING_SQ_NEED_WAKEUP != 0 {
		flags |= abi.IORING_ENTER_SQ_WAKEUP // store before load, as in enterSlow
	}
	n, errno := r.sysEnterRaw(pending, min, flags, arg, size)
	if r.setup&SetupSQRewind != 0 {
		r.rewind(n)
		return n, r.explain(errno)
	}
	r.lookAtHead()
	return int(r.sqHead - before), r.explain(errno)
}

// explain translates the errno of a call on a thread that is not the owner. There the index of a registered descriptor
// means nothing, and the kernel returns EINVAL or EBADF; explain returns EEXIST, the kernel's own error for a foreign
// thread.
func (r *Ring) explain(errno posix.Errno) posix.Errno {
	if errno != posix.EINVAL && errno != posix.EBADF {
		return errno
	}
	if !r.anyone && sys.UringThread() != r.owner {
		return posix.EEXIST
	}
	return errno
}

// Flush is Enter with min 0, for entries that may do slow work at once: it tells Go's scheduler that the call may take
// long. It makes the call once, returns every errno, and does not access the CQ.
//
// Only the owner may call it; with Config.AnyThread it may run while another thread takes CQEs.
func (r *Ring) Flush() (consumed int, errno Errno) {
	if r.closed {
		return 0, posix.EBADF
	}
	return r.enterSlow(0, false, -1)
}

// Submit submits all pending entries to the kernel and returns how many it consumed. It does not wait for completions,
// but takes as long as the kernel needs to start the entries; Go's scheduler knows of the call. Entries that the kernel
// can't consume stay pending, and the error says why. With Config.SQPoll the kernel's thread consumes them later, and
// the number is how many it has consumed so far.
//
// Only the owner may call it.
func (r *Ring) Submit() (int, error) { return r.Wait(0, -1) }

// Wait submits all pending entries and waits until n CQEs are in the ring, for CQE or Drain. It returns how many
// entries the kernel consumed. A negative timeout means no limit; once a timeout has passed, the error is ETIME. A
// signal does not end the wait. The scheduler knows of the wait, but, as with Enter, not always of the submission
// before it: for entries that do slow work at once call Submit, and then Wait.
//
// Only the owner may call it.
func (r *Ring) Wait(n int, timeout time.Duration) (int, error) {
	if n < 0 || n > int(r.cqMask)+1 {
		return 0, fmt.Errorf("uring: wait for %d CQEs: the CQ has %d", n, r.cqMask+1)
	}
	if n > 0 && timeout >= 0 && r.features&FeatExtArg == 0 {
		return 0, &FeatureError{Name: "EXT_ARG", Since: "5.11"}
	}
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	total := 0
	for {
		consumed, errno := r.enterBlocking(uint32(n), timeout)
		total += consumed
		switch {
		case errno != 0 && errno != posix.EINTR:
			if errno == posix.ETIME && r.CQReady() >= n {
				return total, nil
			}
			return total, os.NewSyscallError("io_uring_enter", errno)
		case r.CQReady() >= n && (r.sqTail == r.sqHead || r.setup&SetupSQPoll != 0):
			return total, nil
		}
		if timeout >= 0 {
			timeout = max(0, time.Until(deadline))
			if timeout == 0 && r.CQReady() < n { // if the ring has any CQE, the kernel returns 0 at the timeout
				return total, os.NewSyscallError("io_uring_enter", posix.ETIME)
			}
		}
	}
}

// enterBlocking is Enter that tells the scheduler also when it does not wait.
func (r *Ring) enterBlocking(n uint32, timeout time.Duration) (int, posix.Errno) {
	if n > 0 || r.closed {
		return r.Enter(n, true, timeout)
	}
	return r.enterSlow(0, false, -1)
}

func panicHead(head, seen, tail uint32) {
	panic(fmt.Sprintf("uring: SQ head %d outside %d to %d: the ring's memory was overwritten", head, seen, tail))
}
