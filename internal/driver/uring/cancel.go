package uring

import (
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// Cancel asks for the end of a submitted op. What the kernel has not seen ends
// here; for the rest a cancel goes after it, in order, so that it finds the op
// even if both are submitted by one enter.
func (d *ring) Cancel(o *op.Op) {
	if o.State != op.Queued && o.State != op.InFlight {
		panic("driver/uring: cancel of an op that is not submitted")
	}
	if o.Canceled {
		return
	}
	o.Canceled = true
	switch {
	case o.Mode == waitsTurn:
		return // the next Wait makes the call, which does not wait
	case o.Code == op.CloseFile:
		return // nobody else would close it
	case o.Mode == waitsFile && o.State == op.InFlight:
		d.recall(o)
		return
	}
	if o.State == op.Queued {
		d.withdraw(o)
		return
	}
	if o.Mode == waitsPollEnd || o.Mode == waitsNotif {
		return // its poll is being cancelled already, or there is nothing left to cancel
	}
	d.cancelToken(o)
}

// cancelToken sends a cancel after what the op has submitted.
func (d *ring) cancelToken(o *op.Op) {
	if d.dead != nil {
		return // see bury
	}
	token := o.Token() | markOp
	if !byItself(o.Mode) {
		token = o.Token() | markPoll
	}
	if len(d.cancels) == 0 {
		if e := d.sqe(); e != nil {
			prepCancel(e, token)
			return
		}
	}
	d.cancels = append(d.cancels, token)
}

func prepCancel(e *uring.SQE, token uint64) {
	e.PrepCancel(token)
	e.UserData = token&^op.TokenMarks | markCancel
}

// aim makes a Cancel op's entry name what its target waits in.
func (d *ring) aim(o *op.Op, e *uring.SQE) {
	target := d.slab.Lookup(uint64(o.Off))
	if target != nil && target.State == op.InFlight && !byItself(target.Mode) {
		target.Canceled = true
		e.Addr = target.Token() | markPoll
	}
}

// cancelTries bounds how often an op is cancelled anew.
const cancelTries = 8

// missed takes a cancel that found nothing although its op has not completed: the
// kernel was at work on it (https://github.com/axboe/liburing/issues/1375).
// Most often the completion is right behind, so the cancel is repeated only after
// the CQ has been emptied.
func (d *ring) missed(token uint64) {
	if o := d.slab.Lookup(token &^ op.TokenMarks); o != nil && o.State == op.InFlight && ending(o) &&
		o.Tries < cancelTries {
		o.Tries++
		d.strays = append(d.strays, token&^op.TokenMarks)
	}
}

// cancelStrays repeats the cancels that found nothing.
func (d *ring) cancelStrays() {
	for _, token := range d.strays {
		if o := d.slab.Lookup(token); o != nil && o.State == op.InFlight && ending(o) {
			d.cancelToken(o)
		}
	}
	d.strays = d.strays[:0]
}

// withdraw ends an op that waits for room or for its stream.
func (d *ring) withdraw(o *op.Op) {
	is := func(w *op.Op) bool { return w == o }
	if o.Code == op.Close && d.backlog.take(is) != nil {
		o.Mode = waitsTurn // nobody else would close it
		d.calls.push(o)
		return
	}
	res := int32(-sys.ECANCELED)
	if o.Flags&op.Full != 0 && o.Done > 0 {
		res = int32(o.Done)
	}
	waits := d.backlog.take(is) == nil && d.boarding.take(is) == nil
	if waits {
		d.deferred.take(is)
		o.FD.Unwait(direction(o))
	}
	d.early = append(d.early, early{o, res, !waits})
}

// early is an op that has ended without the kernel. It is complete, and lets go of
// its descriptor, in the next Wait.
type early struct {
	o    *op.Op
	res  int32
	held bool // it had its stream
}

// ending reports whether a cancel for the op, or for its poll, was sent.
func ending(o *op.Op) bool {
	return (o.Canceled || o.Mode == waitsPollEnd) && o.Mode != waitsNotif
}
