package uring

import (
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// quick decides whether a wait may enter the kernel without telling the scheduler.
//
// Telling it costs some 60 ns, and more indirectly: every 20 µs the scheduler's monitor takes the P away from threads
// that wait. When no P is left to watch, the monitor itself goes to sleep, and a thread that returns has to wake it
// with a futex call (docs/adr/0059-waits-and-the-scheduler.md).
type quick struct {
	atOnce guess // that the CQEs are there once the entries are submitted, and that this is fast
	usual  uint8 // how many of the next waits try that without timing it
	keep   bool  // Config.KeepP
	tell   bool  // the next wait tells the scheduler despite keep: the last one was long
}

// guess decides whether something is worth trying: after a success it is; after a failure it is tried again now and
// then.
type guess struct {
	missed uint8 // how many chances to skip after the last failure
	skip   uint8 // how many of these are left
}

func (g *guess) isWorthIt() bool {
	if g.skip == 0 {
		return true
	}
	g.skip--
	return false
}

// missedMost is the most chances that a guess skips in a row.
const missedMost = 63

func (g *guess) was(right bool) {
	if right {
		g.missed = 0
		return
	}
	g.missed = min(2*g.missed+1, missedMost)
	g.skip = g.missed
}

// usualMost is how many waits go untimed between two that are timed: reading the clock twice costs some 100 ns.
const usualMost = 63

// isUsual reports whether the next wait may try without reading the clock, and counts that try.
func (q *quick) isUsual() bool {
	if q.usual == 0 {
		return false
	}
	q.usual--
	return true
}

// was records the outcome of a try. It is not called after an untimed try that succeeded.
func (q *quick) was(right bool) {
	q.atOnce.was(right)
	q.usual = 0
	if right {
		q.usual = usualMost
	}
}

// enterWaiting is Enter with min > 0, except for the untimed tries that Enter makes itself.
func (r *Ring) enterWaiting(min, flags uint32, timeout time.Duration) (consumed int, errno posix.Errno) {
	if r.anyone || !r.quick.atOnce.isWorthIt() { // with AnyThread the CQ may be under another lock
		return r.enterTelling(0, min, flags, timeout)
	}
	begin := time.Now()
	errno = sys.UringEnterNow(r.enterFD, r.sqTail-r.sqHead, flags)
	fast := time.Since(begin) < longest
	consumed = r.lookAtHead()
	if there := r.CQReady() >= int(min); there {
		r.quick.was(fast)
		return consumed, r.explained(errno)
	}
	return r.enterBehind(consumed, errno, min, flags, timeout)
}

// longest is how long a submission may take without telling the scheduler. Meanwhile other goroutines wait for the P,
// and the garbage collector waits for all threads.
const longest = 50 * time.Microsecond

// enterBehind follows a try that has not found min CQEs: it waits, provided that the kernel has taken all entries.
func (r *Ring) enterBehind(done int, errno posix.Errno, min, flags uint32, timeout time.Duration) (int, posix.Errno) {
	r.quick.was(false)
	if errno != 0 || r.sqTail != r.sqHead {
		return done, r.explained(errno)
	}
	return r.enterTelling(done, min, flags, timeout)
}

// enterTelling waits, and tells the scheduler unless Config.KeepP is set. done is how many entries the kernel consumed
// before; the result includes them.
func (r *Ring) enterTelling(done int, min, flags uint32, timeout time.Duration) (consumed int, errno posix.Errno) {
	q, consumed := &r.quick, done
	flags |= r.timeoutFlag(timeout)
	if q.keep && !q.tell {
		errno = sys.UringEnterKeepingP(r.enterFD, r.sqTail-r.sqHead, min, flags, r.timeoutArg(timeout))
		consumed += r.lookAtHead()
		// EINTR: the runtime interrupts a wait that has lasted 10 ms, or that delays a garbage collection.
		q.tell = errno == posix.EINTR
		if !q.tell || timeout >= 0 || r.sqTail != r.sqHead {
			return consumed, r.explained(errno)
		}
	}
	q.tell = false
	errno = sys.UringEnter(r.enterFD, r.sqTail-r.sqHead, min, flags, r.timeoutArg(timeout))
	return consumed + r.lookAtHead(), r.explained(errno)
}
