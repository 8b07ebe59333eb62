package hosted

import (
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

const (
	// reapBatch is how many completions are taken at a time.
	reapBatch = 32
	// triesMax bounds how often an op is submitted again that the kernel gave up.
	triesMax = 32
	// cancelTries bounds how often an op is cancelled anew.
	cancelTries = 8
)

// reap takes in what has completed. Any goroutine may; afterwards somebody must lead if
// there is something to submit again.
func (r *ring) reap() {
	var cqes [reapBatch]uring.CQE
	var ended [reapBatch]*call
	for n := reapBatch; n == reapBatch; {
		k := 0
		r.mu.Lock()
		n = r.r.Drain(cqes[:])
		for i := range cqes[:n] {
			if c := r.dispatch(&cqes[i]); c != nil {
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

// dispatch finds out whom a completion is for. It returns the call that it ends, nil if
// none. The mutex is held.
func (r *ring) dispatch(e *uring.CQE) *call {
	o := r.slab.Lookup(e.UserData &^ op.TokenMarks)
	if e.UserData&op.TokenMarks == markCancel {
		// Whatever came of it, the op's own completion tells. One that found nothing
		// although the op is about came while the kernel was at work on it
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
	if r.retry(c, res) {
		return nil
	}
	if o.Canceled && (res == -sys.EINTR || res == -sys.EAGAIN) {
		res = canceled // which is how a thread of the kernel's was told
	}
	o.State = op.Idle
	c.res = res
	return c
}

// retry submits an op again that has ended for no reason of its own.
//
// When the thread that submitted it ends, the kernel gives up what it would have done on
// that thread, by -ECANCELED; a buffered read whose page had just come, by -EFAULT
// (io_req_task_submit in io_uring/io_uring.c of Linux 6.18), which a caller's memory may
// earn, too. -EAGAIN comes from file systems that would wait in a place where the
// kernel's threads may, and ours not.
func (r *ring) retry(c *call, res int32) bool {
	switch res {
	case -sys.EAGAIN:
		c.async = true
	case -sys.ECANCELED, -sys.EFAULT, -sys.EINTR:
	default:
		return false
	}
	o := c.op
	switch {
	case o.Canceled || c.tries >= triesMax:
		return false
	case r.dead != 0:
		o.State = op.Idle
		c.refused = true
		c.done <- struct{}{}
		return true
	}
	c.tries++
	o.State = op.Queued
	r.pending.push(c)
	r.stats.Reissued++
	return true
}
