package uring

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// A ring that has died takes no entries and tells nothing more. What of the driver
// needs no ring goes on: plain calls, workers, and the end of everything else.

// faulty reports whether the kernel can't be entered any more.
func (d *ring) faulty() bool {
	if d.dead == nil && d.fault != nil {
		d.dead = d.fault()
	}
	return d.dead != nil
}

// endAll ends what is submitted, on a ring that has died.
func (d *ring) endAll(done *driver.Queue) {
	if !d.ended {
		d.ended = true
		d.unsubmit()
		d.revoked = d.r.CancelAll(revokeMax) == nil
		d.reap(done) // what had completed
	}
	d.cancels, d.fresh, d.cancelNow, d.cancelLater = d.cancels[:0], d.fresh[:0], d.cancelNow[:0], d.cancelLater[:0]
	d.slab.Each(func(o *op.Op) {
		if o.State == op.Queued || o.State == op.InFlight {
			d.Cancel(o)
			d.giveUp(o, done)
		}
	})
	d.deliver(done)
	d.completeOffloads(done)
}

// revokeMax bounds the wait for requests to end by the only call that may still work.
const revokeMax = time.Second

// unsubmit takes back the entries that the kernel has not taken.
func (d *ring) unsubmit() {
	if d.r.Flags()&uring.SetupSQPoll != 0 {
		return // its thread may be at them
	}
	d.r.EachPending(func(e *uring.SQE) {
		m := mark(e.UserData)
		o := d.slab.Lookup(e.UserData &^ op.TokenMarks)
		if o == nil || o.State != op.InFlight || m != markOp && m != markPoll || o.Mode == waitsPollEnd {
			return
		}
		d.inFlight--
		o.State = op.Queued
		d.backlog.push(o)
	})
}

// giveUp ends an op that the kernel has, unless it has memory of the op's owner too.
// Another's buffers, which it may have, nobody waits for.
func (d *ring) giveUp(o *op.Op, done *driver.Queue) {
	switch {
	case o.State != op.InFlight, o.Mode == waitsFile, o.Mode == waitsNotif:
		return
	case o.Mode == waitsPollEnd:
		d.inFlight--
		d.finish(o, done)
		return
	case byItself(o.Mode) && lends(o) && !d.revoked:
		return
	}
	d.exposed = d.exposed || byItself(o.Mode) && o.Flags&op.Select != 0 && !d.revoked
	d.inFlight--
	d.end(o, resultOf(o, -sys.ECANCELED), 0, done)
}

// lends reports whether the entry of an op names memory that the kernel uses for as
// long as the op is under way, and that is not the pool's. Addresses, times and names it copies when it takes the
// entry, and others name none; of an Openat2 the descriptor would be nobody's.
func lends(o *op.Op) bool {
	switch o.Code {
	case op.Connect, op.Timeout, op.Sync, op.Allocate, op.Ftruncate,
		op.Mkdirat, op.Unlinkat, op.Renameat, op.Linkat, op.Symlinkat:
		return false
	}
	return o.Flags&op.Select == 0 && (o.Buf != nil || o.Ext != nil)
}

// drainDead is drain on a ring that has died. Calls that workers have begun end by
// themselves.
func (d *ring) drainDead(done *driver.Queue) {
	end := d.now() + int64(drainMax)
	for d.endAll(done); len(d.offloads) > 0 && d.now() < end; d.completeOffloads(done) {
		d.rest(time.Millisecond)
	}
}
