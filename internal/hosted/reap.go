package hosted

import (
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

const (
	// reapBatch is how many completions are taken from the engine at a time.
	reapBatch = 32
	// triesMax bounds how often an op that the kernel gave up is submitted again.
	triesMax = 32
	// cancelTries bounds how often an op is cancelled again.
	cancelTries = 8
)

// reap handles the completions. Any goroutine may call it; afterwards one must lead if ops have to be submitted again.
func (r *ring) reap() {
	var ended [reapBatch]*call
	for n := reapBatch; n == reapBatch; {
		k := 0
		r.mu.Lock()
		n = r.e.drain(r.cqes[:])
		for i := range r.cqes[:n] {
			if c := r.dispatch(&r.cqes[i]); c != nil {
				ended[k] = c
				k++
			}
		}
		r.mu.Unlock()
		for _, c := range ended[:k] {
			c.done <- struct{}{}
		}
	}
}

// dispatch handles a completion, and returns the call that it ends, nil if none. The mutex is held.
func (r *ring) dispatch(e *uring.CQE) *call {
	o := r.slab.Lookup(e.UserData &^ op.TokenMarks)
	if e.UserData&op.TokenMarks == markCancel {
		// The op's own completion tells what has become of it. But a cancel that did not find an op that is still in
		// flight came while the kernel was at work on it, and is repeated
		// (https://github.com/axboe/liburing/issues/1375).
		if e.Res == -sys.ENOENT && o != nil && o.State == op.InFlight && o.Canceled && o.Tries < cancelTries {
			o.Tries++
			r.cancels = append(r.cancels, o.Token())
		}
		return nil
	}
	if o == nil || o.State != op.InFlight || e.UserData&op.TokenMarks != 0 {
		r.stats.Stale++
		return nil
	}
	c, res := o.Sink.(*call), sys.Completed(e.Res)
	again, unbegun := r.e.givenUp(c, res), r.e.unbegun(o, res)
	switch {
	case !o.Canceled:
		if again && r.resubmit(c) {
			return nil
		}
		c.refused = unbegun || again && r.dead != 0
	case unbegun, res == -sys.EINTR, res == -sys.EAGAIN: // EINTR and EAGAIN: a thread of the kernel saw the cancel
		res = canceled
	}
	o.State = op.Idle
	c.res = res
	return c
}

// resubmit submits an op again. It returns false if that was done too often, or nothing can be submitted any more.
func (r *ring) resubmit(c *call) bool {
	if c.tries >= triesMax || r.dead != 0 {
		return false
	}
	c.tries++
	c.op.State = op.Queued
	r.pending.push(c)
	r.stats.Reissued++
	return true
}
