package uring

import (
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// quick knows how a wait can do without telling the scheduler of it.
//
// To tell it costs some 60 ns, and more behind the scenes: its monitor looks every 20 µs, takes the P of a thread that
// waits, and with no P left to watch goes to sleep itself, so that a thread that comes back has to wake it, by a futex
// (docs/adr/0059-waits-and-the-scheduler.md).
type quick struct {
	atOnce guess // what is waited for is there when the entries have been submitted, and they have not taken long
	looks  uint8 // at how long they take, see submitted
	keep   bool  // Config.KeepP
	tell   bool  // the next wait is to tell the scheduler all the same: the last one was long
}

// guess is whether it pays to try something: it does if it did the last time, and is tried again now and then.
type guess struct {
	missed uint8 // how many chances go by after a try that was in vain
	skip   uint8 // how many of them are left
}

func (g *guess) isWorthIt() bool {
	if g.skip == 0 {
		return true
	}
	g.skip--
	return false
}

// missedMost is how many chances go by at most.
const missedMost = 63

func (g *guess) was(right bool) {
	if right {
		g.missed = 0
		return
	}
	g.missed = min(2*g.missed+1, missedMost)
	g.skip = g.missed
}

// enterWaiting is Enter that waits.
func (r *Ring) enterWaiting(min, flags uint32, timeout time.Duration) (consumed int, errno posix.Errno) {
	q := &r.quick
	if !r.anyone && q.atOnce.isWorthIt() { // with two locks CQReady is not ours to ask here
		fast, errno := r.submitNow(flags)
		consumed = r.lookAtHead()
		there := r.CQReady() >= int(min)
		q.atOnce.was(there && fast)
		if there || errno != 0 || r.sqTail != r.sqHead {
			return consumed, r.explained(errno)
		}
	}
	flags |= r.timeoutFlag(timeout)
	if q.keep && !q.tell {
		errno = sys.UringEnterKeepingP(r.enterFD, r.sqTail-r.sqHead, min, flags, r.timeoutArg(timeout))
		consumed += r.lookAtHead()
		// The runtime has interrupted what lasts 10 ms, or is in the way of a collection.
		q.tell = errno == posix.EINTR
		if !q.tell || timeout >= 0 || r.sqTail != r.sqHead {
			return consumed, r.explained(errno)
		}
	}
	q.tell = false
	errno = sys.UringEnter(r.enterFD, r.sqTail-r.sqHead, min, flags, r.timeoutArg(timeout))
	return consumed + r.lookAtHead(), r.explained(errno)
}

// longest is how long entries may take without the scheduler's knowledge: others wait for the P meanwhile, and the
// garbage collector for all.
const longest = 50 * time.Microsecond

// submitNow submits what is pending without telling the scheduler. Now and then it looks at how long that takes.
func (r *Ring) submitNow(flags uint32) (fast bool, errno posix.Errno) {
	q := &r.quick
	if q.looks++; q.looks%8 != 1 && q.atOnce.missed == 0 {
		return true, sys.UringEnterNow(r.enterFD, r.sqTail-r.sqHead, flags)
	}
	begin := time.Now()
	errno = sys.UringEnterNow(r.enterFD, r.sqTail-r.sqHead, flags)
	return time.Since(begin) < longest, errno
}
