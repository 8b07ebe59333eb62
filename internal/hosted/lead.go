package hosted

import (
	"runtime"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

const (
	// leadMax is after how many calls a leader whose own op has ended has another lead.
	leadMax = 4
	// crowdMin is from how many ops on a leader lets others come before it calls, if
	// it will not have to wait long for its turn.
	crowdMin = 16
	// backOff is between two calls for which the kernel had no memory.
	backOff = 100 * time.Microsecond
)

// leadFor leads for a caller and those who come meanwhile. others says that more of them
// are to be expected.
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

// lead leads for others.
func (r *ring) lead() {
	for r.show() {
		r.enter()
		r.reap()
	}
}

// leadIfNeeded leads if there is something to call the kernel for, and nobody does.
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

// show moves what is pending into the SQ: cancels first, for what they end makes room.
// It reports false, and the lead has ended, if there is nothing to call the kernel for.
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

// showCancel reports whether it has used an entry.
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

// enter submits.
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
		// A shortage of memory, and on old kernels a full CQ: time helps the one, reaping
		// the other.
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

// die ends the ring for what the kernel has not taken. What it has taken comes to its
// end, which needs no call. The mutex is held, by the leader.
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

// dismiss refuses those that wait for a slot.
func (r *ring) dismiss() {
	for c := r.room.pop(); c != nil; c = r.room.pop() {
		r.refuse(c)
	}
}

const canceled = -sys.ECANCELED
