package hosted

import (
	"runtime"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

const (
	// leadMax is after how many calls a leader whose own op has ended hands over the lead.
	leadMax = 4
	// crowdMin is the number of ops from which on a leader first lets other goroutines run, unless it would have to
	// wait long for its next turn.
	crowdMin = 16
	// backOff is the pause after a call for which the kernel had no memory.
	backOff = 100 * time.Microsecond
)

// leadFor leads for a caller, and for others that come meanwhile. others says that more are likely to come.
func (r *ring) leadFor(c *call, others bool) {
	if others {
		runtime.Gosched()
	}
	for round := 1; r.show(); round++ {
		r.enter()
		r.reap()
		if round >= leadMax && len(c.done) > 0 {
			go r.relieve()
			return
		}
	}
}

// lead leads for other callers only.
func (r *ring) lead() {
	for r.show() {
		r.enter()
		r.reap()
	}
}

// leadIfNeeded leads if the kernel has to be called, and no goroutine leads.
func (r *ring) leadIfNeeded() {
	r.mu.Lock()
	needed := !r.led && r.dead == 0 && (r.pending.n > 0 || len(r.cancels) > 0 || r.e.overflowed())
	if needed {
		r.led = true
	}
	r.mu.Unlock()
	if needed {
		r.lead()
	}
}

// show moves what is pending into the SQ: cancels first, because they make room. If there is no reason to call the
// kernel, it gives up the lead and returns false.
func (r *ring) show() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead == 0 {
		for r.showCancel() || len(r.cancels) == 0 && r.showOp() {
		}
		if r.e.pending() > 0 || r.e.overflowed() {
			return true
		}
	}
	r.led = false
	r.checkIdle()
	return false
}

// showCancel adds one cancel, and reports whether it did.
func (r *ring) showCancel() bool {
	last := len(r.cancels) - 1
	if last < 0 {
		return false
	}
	token := r.cancels[last]
	if !r.e.addCancel(token) {
		return false
	}
	r.cancels = r.cancels[:last]
	r.shown = append(r.shown, token|markCancel)
	return true
}

func (r *ring) showOp() bool {
	if r.pending.n == 0 {
		return false
	}
	if !r.e.add(r.pending.head) {
		return false
	}
	c := r.pending.pop()
	c.op.State = op.InFlight
	r.shown = append(r.shown, c.op.Token())
	return true
}

// enter submits, or makes the kernel deliver completions that have overflowed.
func (r *ring) enter() {
	pending := r.e.pending()
	var taken int
	var errno posix.Errno
	over := pending == 0
	if over {
		errno = r.e.unblock()
	} else {
		taken, errno = r.e.flush()
	}
	ops := uint64(0)
	for _, data := range r.shown[:taken] {
		if data&markCancel == 0 {
			ops++
		}
	}
	r.shown = r.shown[:copy(r.shown, r.shown[taken:])]
	short := false
	r.mu.Lock()
	r.stats.Submitted += ops
	r.stats.Enters++
	if over {
		r.stats.Overflows++
	}
	if taken < pending {
		r.stats.ShortSubmits++
	}
	switch errno {
	case 0, posix.EINTR:
	case posix.EAGAIN, posix.EBUSY:
		// The kernel is short of memory, or on old kernels the CQ is full: time helps in the first case, reaping in
		// the second.
		short = true
	default:
		r.die(errno)
	}
	r.mu.Unlock()
	if short {
		r.reap()
		time.Sleep(backOff)
	}
}

// die refuses all calls that the kernel has not taken. Those that it has taken still end, without a call. The leader
// holds the mutex.
func (r *ring) die(errno posix.Errno) {
	r.dead = errno
	for _, data := range r.shown {
		if o := r.slab.Lookup(data); data&markCancel == 0 && o != nil {
			r.refuse(o.Sink.(*call))
		}
	}
	r.shown, r.cancels = nil, nil
	for c := r.pending.pop(); c != nil; c = r.pending.pop() {
		r.refuse(c)
	}
	r.dismiss()
}

// dismiss refuses the callers that wait for a slot.
func (r *ring) dismiss() {
	for c := r.room.pop(); c != nil; c = r.room.pop() {
		r.refuse(c)
	}
}

const canceled = -sys.ECANCELED
