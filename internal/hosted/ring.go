package hosted

import (
	"sync"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/uring"
)

// ring is one engine and the ops on it.
//
// Whoever leads has the engine's way in, and shown. Its way out is under the mutex, like all else.
type ring struct {
	e       engine
	watcher *watcher
	relieve func() // r.lead, bound once
	max     int    // how many slots there may be
	queue   int    // how many may wait for one
	few     int    // so many calls are plain, if there are no others

	mu      sync.Mutex
	slab    *op.Slab
	spare   *call    // linked by next
	room    calls    // who waits for a slot
	pending calls    // ops that are not in the SQ yet
	cancels []uint64 // tokens of ops that are to be cancelled
	plain   int      // calls that are made without the ring
	busy    busy
	led     bool // somebody leads
	closing bool
	dead    posix.Errno   // why nothing more can be submitted
	idle    chan struct{} // closed when the last is out of a ring that closes
	stats   Stats
	cqes    [reapBatch]uring.CQE // for reap

	shown []uint64 // user data in the SQ that the kernel has not taken, oldest first
}

// Stats count what rings did.
type Stats struct {
	Submitted    uint64 // ops that the kernel has taken
	Plain        uint64 // ops that were plain calls, because there were few or Ps were short
	Enters       uint64 // calls that submitted
	ShortSubmits uint64 // such calls after which the kernel had not taken all entries
	Reissued     uint64 // ops that the kernel had given up, submitted again
	Queued       uint64 // callers that found a ring full
	Refused      uint64 // callers that found its queue full, too
	Canceled     uint64 // ops whose caller's context ended
	Stale        uint64 // completions of ops that were gone
	Overflows    uint64 // times the CQ had overflowed
	Wakes        uint64 // times the netpoller woke a watcher
}

// add adds another ring's.
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

// A completion carries its op's token, with this mark if it is that of a cancel.
const markCancel = uint64(1) << op.TokenShift

// admission is what a caller is let in to.
type admission uint8

const (
	refused admission = iota // nothing
	alone                    // a plain call, which leave ends
	waits                    // the queue for a slot
	seated                   // a slot
)

// admit lets a caller in. hurried callers have a context, which ends no plain call.
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

// plainNow reports whether a call had better be plain: if there are few, or Ps are short.
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

// submit makes the op pending. If nobody leads, the caller does.
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

// end gives the slot up, if there is one, and the call.
func (r *ring) end(c *call) {
	r.mu.Lock()
	r.free(c)
	r.mu.Unlock()
}

// free is end under the mutex. The slot goes to who has waited longest for one.
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

// refuse ends a call that was not begun. The mutex is held.
func (r *ring) refuse(c *call) {
	if c.op != nil {
		c.op.State = op.Idle
	}
	c.refused = true
	c.done <- struct{}{}
}

// checkIdle tells Close when nothing is left. The mutex is held.
func (r *ring) checkIdle() {
	if r.idle != nil && r.slab.Used() == 0 && r.plain == 0 && !r.led {
		close(r.idle)
		r.idle = nil
	}
}

// unqueue takes a caller out of the queue whose context has ended. It reports false if
// there is a slot for it by now, or the end.
func (r *ring) unqueue(c *call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.room.remove(c)
}

// cancel asks for the end of an op whose caller's context has ended. The caller waits
// for that end.
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
