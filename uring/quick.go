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
	usual  uint8 // how many waits are left that try it and are not timed
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

// usualMost is how many waits go by between two that are timed: to look at the clock twice costs some 100 ns.
const usualMost = 63

// isUsual says whether to try without a look at the clock, and counts the try.
func (q *quick) isUsual() bool {
	if q.usual == 0 {
		return false
	}
	q.usual--
	return true
}

// was is told of each try but usual ones that were right.
func (q *quick) was(right bool) {
	q.atOnce.was(right)
	q.usual = 0
	if right {
		q.usual = usualMost
	}
}

// enterWaiting is Enter that waits, and does not take the usual way.
func (r *Ring) enterWaiting(min, flags uint32, timeout time.Duration) (consumed int, errno posix.Errno) {
	if r.anyone || !r.quick.atOnce.isWorthIt() { // with two locks CQReady is not ours to ask here
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

// longest is how long entries may take without the scheduler's knowledge: others wait for the P meanwhile, and the
// garbage collector for all.
const longest = 50 * time.Microsecond

// enterBehind is what follows a try that was in vain: a wait, if the kernel has taken all entries.
func (r *Ring) enterBehind(done int, errno posix.Errno, min, flags uint32, timeout time.Duration) (int, posix.Errno) {
	r.quick.was(false)
	if errno != 0 || r.sqTail != r.sqHead {
		return done, r.explained(errno)
	}
	return r.enterTelling(done, min, flags, timeout)
}

// enterTelling is a wait that the scheduler is told of, unless with Config.KeepP. What was consumed before counts.
func (r *Ring) enterTelling(done int, min, flags uint32, timeout time.Duration) (consumed int, errno posix.Errno) {
	q, consumed := &r.quick, done
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
