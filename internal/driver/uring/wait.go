package uring

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/uring"
)

// Wait submits what is queued and collects completions. It sleeps only if there is nothing to report, and never while
// the SQ has an entry that the kernel has not seen.
func (d *ring) Wait(deadline int64, done *driver.Queue) error {
	if d.closed {
		return errClosed
	}
	before := done.Len()
	d.prepSends(done)
	for d.dead == nil {
		d.pool.Refill() // completions may come without an enter, which also refills
		d.flush()
		if len(d.cancelLater) > 0 {
			d.cancelDue()
		}
		d.deliver(done)
		d.completeOffloads(done)
		d.tryFresh(done)
		d.reap(done)
		if done.Len() > before || deadline == driver.Poll || d.outbox.Failed() {
			if deadline != driver.Poll && deadline != driver.Forever && deadline <= d.now() {
				d.lookLate(done)
			} else {
				d.push(done)
			}
			break
		}
		if over := d.sleep(deadline, done); over || done.Len() > before {
			break
		}
		d.takeBack() // what the kernel did not take does not wait until it does
	}
	if d.dead != nil {
		d.reap(done) // also the CQEs of sends
	}
	d.endSends(done)
	if d.dead != nil {
		d.endAll(done)
	}
	return d.dead
}

// push submits without waiting, and reaps what that has completed at once.
func (d *ring) push(done *driver.Queue) {
	if d.r.SQPending() > 0 || d.r.NeedsEnter() {
		d.enter(0, -1)
		d.reap(done)
		d.catchUp(done)
	}
}

// roundMax bounds the completions up to which catchUp goes on.
const roundMax = 256

// catchUp enters again while the kernel has more completions, if a poll has ended. An enter completes at once each
// poll that it submits and that finds its descriptor ready; of all that has come for ops armed before it then
// completes only 20 or so (since Linux 6.14). Without catchUp a stream that is polled each turn would be served in
// each turn, and one with a multishot receive in one of many.
func (d *ring) catchUp(done *driver.Queue) {
	for d.passed && d.dead == nil && d.r.NeedsEnter() {
		before := done.Len()
		if before >= roundMax {
			break
		}
		d.enter(0, -1) // enter also refills the ring of buffers
		if d.reap(done); done.Len() == before {
			break
		}
	}
	d.passed = false
}

// lookLate is push for a Wait whose deadline has passed: it reaps all that has come by then. An enter completes at
// least 20 or so of the ops that were armed before, in the order in which their events came, and each op is in that
// order once. So the number of rounds has a bound even if more comes all the time.
func (d *ring) lookLate(done *driver.Queue) {
	for rounds := d.slab.Used() / 16; rounds >= 0 && d.dead == nil; rounds-- {
		if d.r.SQPending() == 0 && !d.r.NeedsEnter() {
			break
		}
		d.enter(0, -1) // enter also refills the ring of buffers
		d.reap(done)
	}
	d.reap(done) // without DEFER_TASKRUN completions come without an enter
	d.passed = false
	done.Looked = true
}

// sleep enters the kernel until there is a completion. It reports true when the wait is over: the driver was woken, or
// the deadline has passed.
func (d *ring) sleep(deadline int64, done *driver.Queue) (over bool) {
	timeout := time.Duration(-1)
	limit := deadline
	if len(d.cancelLater) > 0 {
		limit = min(limit, d.cancelAt)
	}
	if limit != driver.Forever {
		now := d.now()
		if deadline <= now {
			d.lookLate(done)
			return true
		}
		if limit <= now {
			d.push(done)
			return false
		}
		timeout = time.Duration(limit - now)
	}
	// A full SQ does not promise completions: its ops may wait for peers, and an SQPOLL thread frees an entry only
	// after it has completed it.
	if d.waitsForRoom() || !d.armWake() || timeout >= 0 && !d.extArg && !d.armTimer(limit) {
		d.push(done) // makes room
		if d.r.SQSpace() == 0 {
			d.backOff()
		}
		return d.called.Load() && d.awake()
	}
	if !d.extArg {
		timeout = -1
	}
	if !d.gate.Announce() {
		d.push(done)
		return d.awake()
	}
	d.enter(1, timeout)
	woken := d.awake()
	if woken {
		d.stats.Wakes++
	}
	d.reap(done)
	d.catchUp(done)
	if !woken && done.Len() == 0 && d.r.SQPending() > 0 {
		d.backOff()
	}
	return woken
}

// Noticed reports whether there are completions, or work in the kernel that will make some.
func (d *ring) Noticed() bool { return d.r.CQReady() > 0 || d.r.NeedsEnter() }

// waitsForRoom reports whether ops or cancels wait for room in the SQ.
func (d *ring) waitsForRoom() bool { return len(d.cancels) > 0 || !d.backlog.Empty() }

// awake reports whether Wake was called since the last call. The gate alone does not tell: a worker signals it as
// well, which by itself ends no Wait.
func (d *ring) awake() bool {
	d.gate.Awake()
	return d.called.Load() && d.called.Swap(false)
}

// backOff sleeps, so that a kernel that takes no entries for lack of memory is not entered in a hot loop.
func (d *ring) backOff() { d.rest(100 * time.Microsecond) }

// armTimer submits the deadline as a timeout, for kernels whose io_uring_enter takes none. It keeps a timeout in
// flight that ends no later: most deadlines are later than the one before, and a wait that ends early is repeated. So
// there is one timeout at a time, beside those that are being removed; each has a token of its own, so that the end of
// one is not taken for that of another. armTimer reports false if the SQ has no room.
func (d *ring) armTimer(deadline int64) bool {
	if d.timing && d.timerAt <= deadline {
		return true
	}
	if d.timing {
		e := d.sqe()
		if e == nil {
			return false
		}
		e.PrepTimeoutRemove(d.timerToken())
		e.UserData = markCancel | noSlot
		d.timing = false
	}
	e := d.sqe()
	if e == nil {
		return false
	}
	d.timers++
	d.timer = uring.NewTimespec(time.Duration(max(0, deadline-d.now())))
	e.PrepTimeout(&d.timer, 0, 0)
	e.UserData = d.timerToken()
	d.timing, d.timerAt = true, deadline
	return true
}

func (d *ring) timerToken() uint64 { return markTimer | uint64(d.timers) }

// noSlot is a slot index that no op has.
const noSlot = uint64(1)<<32 - 1

// armWake keeps a poll on the eventfd in flight. It is not a read, because a read of an eventfd hung on Linux 6.15.4
// (https://github.com/mitchellh/libxev/issues/171).
func (d *ring) armWake() bool {
	if d.wakeSet {
		return true
	}
	e := d.sqe()
	if e == nil {
		return false
	}
	sys.Unsignal(d.wakeFD)
	if d.edges {
		e.PrepPollMultishot(int(d.wakeFD), sys.PollIn)
	} else {
		e.PrepPollAdd(int(d.wakeFD), sys.PollIn)
	}
	e.UserData = markWake
	d.wakeSet = true
	return true
}

// deliver gives the workers their ops, and completes ops that have ended without the kernel.
func (d *ring) deliver(done *driver.Queue) {
	d.submitOffloads()
	for i := range d.early {
		e := &d.early[i]
		if e.held {
			d.end(e.o, e.res, 0, done)
		} else {
			e.o.State = op.Idle
			e.o.FD.Unref()
			d.stats.Completions++
			done.Push(driver.Completion{Op: e.o, Res: e.res})
		}
		*e = endedOp{}
	}
	d.early = d.early[:0]
}

// reap takes out of the CQ the completions that are there now, and those that had overflowed. If it has something to
// report it leaves what comes meanwhile to the next call: where completions interrupt (before DEFER_TASKRUN), each
// call that handles one brings more, and reap would never end.
func (d *ring) reap(done *driver.Queue) {
	before := done.Len()
	left := d.r.CQReady()
	for overflows := 0; ; {
		n := d.r.Drain(d.cqes[:min(left, len(d.cqes))])
		if race.Enabled && n > 0 {
			race.ReadLike()
		}
		for i := range d.cqes[:n] {
			d.dispatch(&d.cqes[i], done)
		}
		left -= n
		if left == 0 && done.Len() == before {
			left = d.r.CQReady()
		}
		if left > 0 {
			continue
		}
		if !d.r.Overflowed() || overflows >= overflowsMax && done.Len() > before {
			break
		}
		overflows++
		d.stats.Overflows++
		d.enter(0, -1)
		if left = d.r.CQReady(); d.dead != nil || left == 0 {
			return
		}
	}
	if len(d.cancelNow) > 0 {
		d.repeatCancels()
	}
}

// overflowsMax bounds how often reap makes the kernel fill the CQ again.
const overflowsMax = 16

// dispatch passes a CQE on to what it belongs to.
func (d *ring) dispatch(c *uring.CQE, done *driver.Queue) {
	flags := uint32(c.Flags)
	c.Res = sys.Completed(c.Res)
	switch mark(c.UserData) {
	case markOp:
		o := d.slab.Lookup(c.UserData)
		if o != nil && (o.State == op.InFlight || o.State == op.Queued && flags&op.Notif != 0) {
			d.complete(o, c.Res, flags, done)
			return
		}
		d.stats.Stale++
	case markPoll:
		if o := d.slab.Lookup(c.UserData &^ op.TokenMarks); o != nil && o.State == op.InFlight && !byItself(o.Mode) {
			d.polled(o, c.Res, flags, done)
			return
		}
		d.stats.Stale++
	case markWake:
		if flags&op.More == 0 {
			d.wakeSet = false
		}
	case markTimer:
		if c.UserData == d.timerToken() {
			d.timing = false
		}
	case markSend:
		d.sendEnded(c.UserData, c.Res)
	case markCancel:
		// The op's own completion reports how the op ended.
		if c.Res < 0 {
			d.missed(c.UserData, c.Res)
		}
	default:
		d.stats.Stale++
	}
}
