package hosted

import (
	"sync"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/uring"
)

// ring is one engine and the ops on it.
//
// The leader alone calls the engine's submitting methods and uses shown. Everything else is under the mutex.
type ring struct {
	e       engine
	watcher *watcher
	relieve func() // r.lead, bound once
	max     int    // how many slots there may be
	queue   int    // how many callers may wait for a slot
	few     int    // while there are fewer calls than this, they are plain

	mu      sync.Mutex
	slab    *op.Slab
	spare   *call    // linked by next
	room    calls    // callers that wait for a slot
	pending calls    // ops that are not in the SQ yet
	cancels []uint64 // tokens of ops to cancel
	plain   int      // plain calls under way
	busy    busy
	led     bool // a goroutine leads
	closing bool
	dead    posix.Errno   // the error after which nothing can be submitted
	idle    chan struct{} // set by close, and closed when the last call has ended
	stats   Stats
	cqes    [reapBatch]uring.CQE // for reap

	shown []uint64 // user data in the SQ that the kernel has not taken, oldest first
}

// Stats counts what rings did.
type Stats struct {
	Submitted    uint64 // ops that the kernel has taken
	Plain        uint64 // ops made as plain calls, because there were few or Ps were short
	Enters       uint64 // calls that submitted
	ShortSubmits uint64 // calls after which the kernel had not taken all entries
	Reissued     uint64 // ops that the kernel had given up, and that were submitted again
	Queued       uint64 // callers that found a ring full
	Refused      uint64 // callers that found the queue for a ring full, too
	Canceled     uint64 // ops whose caller's context ended
	Stale        uint64 // completions of ops that no longer exist
	Overflows    uint64 // times the CQ had overflowed
	Wakes        uint64 // times that the netpoller woke a watcher
}

// add adds the counts of another ring.
func (s *Stats) add(o *Stats) {
	s.Submitted += o.Submitted
	s.Plain += o.Plain
	s.Enters += o.Enters
	s.ShortSubmits += o.ShortSubmits
	s.Reissued += o.Reissued
	s.Queued += o.Queued
	s.Refused += o.Refused
	s.Canceled += o.Canceled
	s.Stale += o.Stale
	s.Overflows += o.Overflows
	s.Wakes += o.Wakes
}

// A completion carries its op's token, with this mark if it is the completion of a cancel.
const markCancel = uint64(1) << op.TokenShift

// admission says how a caller's op will be done.
type admission uint8

const (
	refused admission = iota // not on this ring
	alone                    // by a plain call, which plainDone ends
	waits                    // once there is a slot: the call is in the queue
	seated                   // on a slot
)

// admit decides about a caller. A hurried caller has a context, which could not end a plain call.
func (r *ring) admit(code op.Code, hurried bool) (*call, admission) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing || r.dead != 0:
		return nil, refused
	case !hurried && r.plainNow():
		r.plain++
		r.stats.Plain++
		return nil, alone
	case r.room.n >= r.queue:
		r.stats.Refused++
		return nil, refused
	}
	c := r.spare
	if c != nil {
		r.spare = c.next
		c.next = nil
	} else {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.code, c.tries, c.async, c.refused = code, 0, false, false
	if r.slab.Used() < r.max {
		c.op = r.slab.Get(code)
		return c, seated
	}
	r.room.push(c)
	r.stats.Queued++
	return c, waits
}

// plainNow reports whether a call should be plain: because there are few, or because Ps are short.
func (r *ring) plainNow() bool {
	return r.slab.Used()+r.plain < r.few || r.few > 0 && r.plain < plainMax && r.busy.now()
}

// plainDone ends a plain call.
func (r *ring) plainDone() {
	r.mu.Lock()
	r.plain--
	r.checkIdle()
	r.mu.Unlock()
}

// submit makes the op pending. If no goroutine leads, the caller leads.
func (r *ring) submit(c *call, o *op.Op) {
	r.mu.Lock()
	if r.dead != 0 {
		r.refuse(c)
		r.mu.Unlock()
		return
	}
	c.fill(o)
	c.op.State = op.Queued
	r.pending.push(c)
	leads := !r.led
	others := r.slab.Used() >= crowdMin && !r.busy.now()
	r.led = true
	r.mu.Unlock()
	if leads {
		r.leadFor(c, others)
	}
}

// end frees the call, and its slot if it has one.
func (r *ring) end(c *call) {
	r.mu.Lock()
	r.free(c)
	r.mu.Unlock()
}

// free is end under the mutex. The slot goes to the caller that has waited longest.
func (r *ring) free(c *call) {
	if c.op != nil {
		if c.lent {
			c.op.Ext = nil
		}
		r.slab.Put(c.op)
		c.op, c.lent = nil, false
		if w := r.room.pop(); w != nil {
			w.op = r.slab.Get(w.code)
			w.done <- struct{}{}
		}
	}
	c.next, r.spare = r.spare, c
	r.checkIdle()
}

// refuse ends a call that has not begun. The mutex is held.
func (r *ring) refuse(c *call) {
	if c.op != nil {
		c.op.State = op.Idle
	}
	c.refused = true
	c.done <- struct{}{}
}

// checkIdle tells close when nothing is left. The mutex is held.
func (r *ring) checkIdle() {
	if r.idle != nil && r.slab.Used() == 0 && r.plain == 0 && !r.led {
		close(r.idle)
		r.idle = nil
	}
}

// unqueue takes a caller whose context has ended out of the queue. It returns false if the call has got a slot, or was
// refused, in the meantime.
func (r *ring) unqueue(c *call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.room.remove(c)
}

// cancel asks for the end of an op whose caller's context has ended. The caller still has to wait for the end.
func (r *ring) cancel(c *call) {
	r.mu.Lock()
	switch {
	case c.op.State == op.Queued && r.pending.remove(c):
		c.op.Canceled = true
		c.op.State = op.Idle
		c.Complete(c.op, canceled, 0)
		r.stats.Canceled++
	case c.op.State == op.InFlight && !c.op.Canceled:
		c.op.Canceled = true
		if r.e.cancels() {
			r.cancels = append(r.cancels, c.op.Token())
		}
		r.stats.Canceled++
	}
	r.mu.Unlock()
	r.leadIfNeeded()
}
