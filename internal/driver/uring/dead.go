package uring

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

// A ring that has died takes no entries. What needs no ring goes on: plain calls, and workers. All other ops end. An
// op that the kernel has ends in one of these ways:
//
//	it names no memory of its owner's     at once; what the kernel still reports of it is stale
//	completions come by themselves        by its own completion, which the driver waits for; since Linux 6.0 it
//	                                      cancels the op first
//	in an enter only (DEFER_TASKRUN),     when the kernel has torn the ring down
//	 or the CQ has overflowed
//	the kernel does none of that          never: its memory is kept, and Close says so
//
// That the kernel has accepted a cancel does not end an op: a kernel thread or a disk that is busy with it goes on,
// and uses the memory.

// faulty reports whether the driver has died, so that it must not enter the kernel.
func (d *ring) faulty() bool {
	if d.dead == nil && d.fault != nil {
		d.dead = d.fault()
	}
	return d.dead != nil
}

// endAll ends the submitted ops of a ring that has died. Ops that it can't end yet are left to the next call.
func (d *ring) endAll(done *driver.Queue) {
	if !d.ended {
		d.ended = true
		d.diedAt = d.now()
		d.unsubmit()
	}
	if d.inFlight > 0 {
		d.revoked = d.r.CancelAll(0) == nil
	}
	d.reap(done)
	if d.now()-d.diedAt > int64(notifMax) {
		d.disconnect()
	}
	d.cancels, d.fresh, d.cancelNow, d.cancelLater = d.cancels[:0], d.fresh[:0], d.cancelNow[:0], d.cancelLater[:0]
	d.slab.Each(func(o *op.Op) {
		if o.State == op.Queued || o.State == op.InFlight {
			d.Cancel(o)
			d.giveUp(o, done)
		}
	})
	d.exposed = d.exposed && !d.gone
	d.deliver(done)
	d.completeOffloads(done)
	if d.pipe >= 0 || d.inFlight > d.offloads.Len() && (!d.interrupted() || d.revoked && d.r.Overflowed()) {
		d.tearDown()
	}
}

// unsubmit takes back the entries that the kernel has not taken, and ends their ops, cancelled before or not.
func (d *ring) unsubmit() {
	if d.r.Flags()&uring.SetupSQPoll != 0 {
		return // its thread may be using them
	}
	d.r.EachPending(func(e *uring.SQE) {
		m := mark(e.UserData)
		o := d.slab.Lookup(e.UserData &^ op.TokenMarks)
		if o == nil || o.State != op.InFlight || m != markOp && m != markPoll || o.Mode == waitsPollEnd {
			return
		}
		d.inFlight--
		o.State, o.Canceled = op.Queued, true
		d.early = append(d.early, endedOp{o, o.Failed(-sys.ECANCELED), true})
	})
}

// tearDown closes the ring. The kernel then ends all ops that it has of it, in its own time, which the next calls
// check. At the end the kernel also closes the files that were registered with the ring: one of them is the only write
// end of a pipe, so the pipe reports it. If an Openat2 succeeds meanwhile its descriptor is lost.
//
// If there is no pipe to be had now, or it can't be registered, the next call tries again.
func (d *ring) tearDown() {
	if d.gone {
		return
	}
	if d.pipe < 0 {
		r, w, res := sys.Pipe()
		if res < 0 {
			return
		}
		err := d.r.RegisterFiles([]int{int(w)})
		sys.Close(w)
		if err != nil {
			sys.Close(r)
			return
		}
		d.r.Close()
		d.pipe = r
	}
	var p [1]byte
	if sys.Read(d.pipe, p[:]) == 0 {
		sys.Close(d.pipe)
		d.pipe, d.gone = -1, true
	}
}

// giveUp ends an op that the kernel has, unless the kernel may use memory of the op's owner. It does not wait for
// buffers of the pool.
func (d *ring) giveUp(o *op.Op, done *driver.Queue) {
	if o.State != op.InFlight || o.Mode == waitsFile {
		return
	}
	if d.gone {
		d.inFlight -= int(o.Notifs)
		o.Notifs = 0
	}
	switch {
	case o.Mode == waitsNotif:
		if d.gone {
			d.returned(o, done)
		}
		return
	case o.Mode == waitsPollEnd:
		d.inFlight--
		d.finish(o, done)
		return
	case byItself(o.Mode) && lends(o) && !d.gone:
		return
	}
	d.exposed = d.exposed || byItself(o.Mode) && o.Flags&op.Select != 0 && !d.revoked
	d.inFlight--
	d.end(o, o.Failed(-sys.ECANCELED), 0, done)
}

// lends reports whether the op's entry names memory of its owner that the kernel uses while the op is in flight. The
// kernel copies addresses, times and names when it takes the entry, and some entries name no memory. An Openat2 counts
// too, because its descriptor would have no owner.
func lends(o *op.Op) bool {
	switch o.Code {
	case op.Connect, op.Timeout, op.Sync, op.Allocate, op.Ftruncate,
		op.Mkdirat, op.Unlinkat, op.Renameat, op.Linkat, op.Symlinkat:
		return false
	}
	return o.Flags&op.Select == 0 && (o.Buf != nil || o.Ext != nil)
}

// drainDead is drain for a ring that has died: it waits for ops that end by themselves.
func (d *ring) drainDead(done *driver.Queue) {
	end := d.now() + int64(drainMax)
	for d.endAll(done); d.endsYet() && d.now() < end; d.endAll(done) {
		d.rest(time.Millisecond)
	}
	if d.pipe >= 0 {
		sys.Close(d.pipe)
		d.pipe = -1
	}
}

// endsYet reports whether a dead ring has something left that will end without a call: ops that a worker, a kernel
// thread or a disk is busy with, cancelled ops, and the ring itself.
func (d *ring) endsYet() bool {
	yet := d.offloads.Len() > 0 || d.pipe >= 0 || (d.gone || d.revoked && d.interrupted()) && d.inFlight > 0
	d.slab.Each(func(o *op.Op) {
		yet = yet || o.State == op.InFlight && o.Def().Kind == op.Blocking && d.interrupted()
	})
	return yet
}
