package uring

import (
	"fmt"
	"os"
	"time"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Enter shows the kernel all pending entries, has it consume them, and waits until at least min CQEs are in the ring.
// It is the only call that a loop needs per turn, and a thin one: it never allocates, never retries, and returns every
// errno, including EINTR, EAGAIN, EBUSY and ETIME.
//
// With min 0 it does not wait, whatever timeout says. getEvents, implied by min > 0, makes the kernel post the CQEs
// that it has deferred or had no room for. A timeout ≥ 0 bounds the wait, whose error is then ETIME; a negative one
// does not. To check without waiting, use min 0 and getEvents: with a timeout of 0 the kernel still sleeps, for some 20
// µs (BenchmarkTimeout). The timeout needs FeatExtArg: without it a call with min > 0 and timeout ≥ 0 submits nothing
// and returns EINVAL; use a PrepTimeout entry there.
//
// consumed is how many entries the kernel took, read from the SQ's head and valid even with an errno; the others stay
// pending, in order, for the next Enter. The kernel does not wait if it could not take everything, and does not report
// how the wait ended if it took something. So always check the CQ afterwards, and never conclude from errno 0 that min
// CQEs are there.
//
// A call that waits tells the scheduler so, see also Config.KeepP. One that does not wait is a RawSyscall: cheap, but
// entries that do slow work at once, such as large buffered reads of files, delay the garbage collector meanwhile; use
// Submit for those. If completions were mostly available as soon as the entries were submitted, a call that waits
// begins with a RawSyscall. One in 64 of these is timed, and after one that took more than 50 µs they are omitted for a
// while: so up to 64 calls with slow entries, and from then on one in some 64, delay the collector, each for as long as
// its entries take.
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
		consumed, r.sqHead = int(pending), head // lookAtHead of what is usual
	} else {
		consumed = r.lookAtHead()
	}
	if min != 0 && r.CQReady() < int(min) {
		return r.enterBehind(consumed, errno, min, flags, timeout)
	}
	return consumed, r.explained(errno)
}

// explained is explain of what is an error.
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

// timeoutArg returns the argument that carries the timeout; it and the time lie in the Ring, so on the heap.
func (r *Ring) timeoutArg(timeout time.Duration) *abi.Io_uring_getevents_arg {
	if timeout < 0 {
		return nil
	}
	r.ts = NewTimespec(timeout)
	return &r.arg
}

// enterSpecial is Enter for rings that are closed, polled by a kernel thread, or played by a test, and for misuse.
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

// enterSlow is the general form of the call: any kind of ring, and the scheduler is always told.
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
		// The store of the tail above and this load must not change places, or both sides could fall asleep: Go's
		// atomics are sequentially consistent.
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

// enterRaw is the call with any argument. It tells the scheduler, and returns what the kernel has consumed.
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
		flags |= abi.IORING_ENTER_SQ_WAKEUP // the order is enterSlow's
	}
	n, errno := r.sysEnterRaw(pending, min, flags, arg, size)
	if r.setup&SetupSQRewind != 0 {
		r.rewind(n)
		return n, r.explain(errno)
	}
	r.lookAtHead()
	return int(r.sqHead - before), r.explain(errno)
}

// explain turns what a registered descriptor gives on another thread, where the index means nothing, into the EEXIST
// that the kernel has for a thread that is not the owner.
func (r *Ring) explain(errno posix.Errno) posix.Errno {
	if errno != posix.EINVAL && errno != posix.EBADF {
		return errno
	}
	if !r.anyone && sys.UringThread() != r.owner {
		return posix.EEXIST
	}
	return errno
}

// Flush is Enter with min 0, for entries that may do slow work at once: it tells the scheduler. It makes the call once,
// returns every errno, and does not access the CQ.
//
// Only the owner may call it; with Config.AnyThread, while another thread takes CQEs, too.
func (r *Ring) Flush() (consumed int, errno Errno) {
	if r.closed {
		return 0, posix.EBADF
	}
	return r.enterSlow(0, false, -1)
}

// Submit makes the kernel consume all pending entries and returns their number. It does not wait for completions, but
// may take long if the entries do; the scheduler knows. Entries that can't be consumed stay pending; then the error
// says why. With Config.SQPoll the kernel's thread consumes them later, and the number is how many it has consumed so
// far.
//
// Only the owner may call it.
func (r *Ring) Submit() (int, error) { return r.Wait(0, -1) }

// Wait makes the kernel consume all pending entries and waits until n CQEs are in the ring, for CQE or Drain. It
// returns how many entries were consumed. A negative timeout means no limit; otherwise, when it has passed, the error
// is ETIME. A signal does not end the wait. The scheduler knows of the wait, but, as with Enter, not always of the
// submission before it: for entries that do slow work at once call Submit, and then Wait.
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
			if timeout == 0 && r.CQReady() < n { // where there is something, the kernel says 0 when the time is over
				return total, os.NewSyscallError("io_uring_enter", posix.ETIME)
			}
		}
	}
}

// enterBlocking is Enter that tells the scheduler even when it does not wait.
func (r *Ring) enterBlocking(n uint32, timeout time.Duration) (int, posix.Errno) {
	if n > 0 || r.closed {
		return r.Enter(n, true, timeout)
	}
	return r.enterSlow(0, false, -1)
}

func panicHead(head, seen, tail uint32) {
	panic(fmt.Sprintf("uring: SQ head %d outside %d to %d: the ring's memory was overwritten", head, seen, tail))
}
