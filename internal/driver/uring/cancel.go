package uring

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// Cancel asks for the end of a submitted op. An op that the kernel has not seen ends here. For others it submits a
// cancel behind the op, so that the cancel finds the op even if one enter submits both.
func (d *ring) Cancel(o *op.Op) {
	if o.State != op.Queued && o.State != op.InFlight {
		panic("driver/uring: cancel of an op that is not submitted")
	}
	if o.Canceled {
		return
	}
	o.Canceled = true
	if o.Mode == waitsFile && o.State == op.InFlight {
		d.cancelOffload(o)
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

// cancelToken submits a cancel of the op's own entry, or of its poll.
func (d *ring) cancelToken(o *op.Op) {
	if d.dead != nil {
		return // see endAll
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

// The result of a cancel says little. ENOENT, nothing found, comes when the op has ended, usually with its completion
// right behind, but also when the kernel is working on the op (https://github.com/axboe/liburing/issues/1375).
// EALREADY means that a kernel thread has the op and was told; but if the thread has just found that the op must wait
// for readiness it leaves the op waiting, and the cancel is forgotten: 11 of 125 writes to a full pipe, cancelled 0 to
// 30 µs after they had gone to a thread (Linux 6.18). So every cancel that did not succeed is repeated until the op
// has ended: the first ENOENTs as soon as the CQ has been emptied, later ones with pauses in between.
const (
	triesAtOnce = 8
	cancelPause = time.Millisecond // doubled each time
	pauseMax    = time.Second
)

// missed takes in the error of a cancel, and arranges to repeat it.
func (d *ring) missed(token uint64, res int32) {
	token &^= op.TokenMarks
	o := d.slab.Lookup(token)
	if o == nil || o.State != op.InFlight || !ending(o) {
		return
	}
	o.Tries = min(o.Tries+1, 100)
	if res == -sys.ENOENT && o.Tries <= triesAtOnce {
		d.cancelNow = append(d.cancelNow, token)
		return
	}
	n := o.Tries - 1
	if res == -sys.ENOENT {
		n -= triesAtOnce
	}
	at := d.now() + int64(min(cancelPause<<min(n, 10), pauseMax))
	if len(d.cancelLater) == 0 || at < d.cancelAt {
		d.cancelAt = at
	}
	d.cancelLater = append(d.cancelLater, token)
}

// cancelDue repeats the cancels of cancelLater when it is time.
func (d *ring) cancelDue() {
	if d.now() < d.cancelAt {
		return
	}
	d.cancelNow = append(d.cancelNow, d.cancelLater...)
	d.cancelLater = d.cancelLater[:0]
	d.repeatCancels()
}

// repeatCancels repeats the cancels of cancelNow.
func (d *ring) repeatCancels() {
	for _, token := range d.cancelNow {
		if o := d.slab.Lookup(token); o != nil && o.State == op.InFlight && ending(o) {
			d.cancelToken(o)
		}
	}
	d.cancelNow = d.cancelNow[:0]
}

// withdraw ends an op that the kernel has not seen.
func (d *ring) withdraw(o *op.Op) {
	waits := !d.backlog.Remove(o) && !d.toOffload.Remove(o)
	if waits {
		d.deferred.Remove(o)
		o.FD.Unwait(direction(o))
	}
	d.early = append(d.early, endedOp{o, o.Failed(-sys.ECANCELED), !waits})
}

// endedOp is an op that has ended without the kernel. The next Wait completes it and drops its hold on its descriptor.
type endedOp struct {
	o    *op.Op
	res  int32
	held bool // it had its stream
}

// ending reports whether a cancel was sent for the op, or for its poll.
func ending(o *op.Op) bool {
	return (o.Canceled || o.Mode == waitsPollEnd) && o.Mode != waitsNotif
}
