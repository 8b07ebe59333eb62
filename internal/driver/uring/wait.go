package uring

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/uring"
)

// Wait submits what is queued and collects completions. It sleeps only if there
// is nothing to report, and never over an entry that the kernel has not seen.
func (d *ring) Wait(deadline int64, done *driver.Queue) error {
	if d.closed {
		return errClosed
	}
	before := done.Len()
	d.prepSends(done)
	for d.dead == nil {
		d.pool.Refill() // completions may come without an enter, which refills as well
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
		d.reap(done) // the sends' too
	}
	d.endSends(done)
	if d.dead != nil {
		d.endAll(done)
	}
	return d.dead
}

// push submits without waiting, and looks for what that completed at once.
func (d *ring) push(done *driver.Queue) {
	if d.r.SQPending() > 0 || d.r.NeedsEnter() {
		d.enter(0, -1)
		d.reap(done)
		d.catchUp(done)
	}
}

// roundMax is how many completions one Wait looks for on behalf of those who were passed.
const roundMax = 256

// catchUp enters again while there is more to tell, if a poll has ended. An enter tells at once of each poll that it
// submits and that finds its descriptor ready, and behind them of 20 or so of all that has come for what was armed
// before (since Linux 6.14): without this a stream that is polled each turn is served in each, and those with a
// multishot receive in one of many.
func (d *ring) catchUp(done *driver.Queue) {
	for d.passed && d.dead == nil && d.r.NeedsEnter() {
		before := done.Len()
		if before >= roundMax {
			break
		}
		d.enter(0, -1) // which refills the ring of buffers
		if d.reap(done); done.Len() == before {
			break
		}
	}
	d.passed = false
}

// lookLate is push for a Wait whose deadline has passed: it tells of all that has come by then. An enter tells of 20 or
// so at least of what was armed before, in the order in which it came, and each op is in that order once: so there is
// an end, also where more comes all the time.
func (d *ring) lookLate(done *driver.Queue) {
	for rounds := d.slab.Used() / 16; rounds >= 0 && d.dead == nil; rounds-- {
		if d.r.SQPending() == 0 && !d.r.NeedsEnter() {
			break
		}
		d.enter(0, -1) // which refills the ring of buffers
		d.reap(done)
	}
	d.reap(done) // without DEFER_TASKRUN the kernel tells by itself
	d.passed = false
	done.Looked = true
}

// sleep enters the kernel until there is a completion. It reports true when the
// wait is over: woken, or the deadline has passed.
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
	// A full SQ is no promise of completions: what is in it may wait for peers, and a
	// kernel thread tells that an entry is taken after it has told how it ended.
	if d.waitsForRoom() || !d.armWake() || timeout >= 0 && !d.extArg && !d.armTimer(limit) {
		d.push(done) // which makes room
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

// Noticed reports whether there are completions, or work of the kernel's that makes some.
func (d *ring) Noticed() bool { return d.r.CQReady() > 0 || d.r.NeedsEnter() }

// waitsForRoom reports whether there is something that the SQ had no room for.
func (d *ring) waitsForRoom() bool { return len(d.cancels) > 0 || !d.backlog.Empty() }

// awake reports whether somebody called Wake since the last time. The gate alone
// does not say: a worker signals too, which ends no Wait by itself.
func (d *ring) awake() bool {
	d.gate.Awake()
	return d.called.Load() && d.called.Swap(false)
}

// backOff keeps a kernel that takes no entries for lack of memory from being
// asked in a hot loop.
func (d *ring) backOff() { d.rest(100 * time.Microsecond) }

// armTimer makes the deadline an op, for kernels whose wait takes no time. One that
// is under way and ends no later is left alone: most deadlines are further away
// than the one before, and a wait that ends early is repeated. So there is one
// timer at a time, but for those that are being removed; each has a token of its
// own, lest the end of one is taken for that of another. It reports false if there
// is no room for it.
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

// armWake keeps a poll on the eventfd. A poll and not a read: a read of an eventfd
// hung on Linux 6.15.4 (https://github.com/mitchellh/libxev/issues/171).
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

// deliver hands the workers their ops, and reports what ended without the kernel's
// help.
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

// reap takes the completions out of the CQ that are there now, and those that had
// overflowed. What comes meanwhile has its turn at the next look, if there is something
// to report: where completions interrupt (before DEFER_TASKRUN), each call that is made
// for one of them brings more, and there would be no end of it.
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

// overflowsMax bounds how often reap has the kernel fill the CQ again.
const overflowsMax = 16

// dispatch finds out whom a completion is for.
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
		// Whatever came of it, the op's own completion tells.
		if c.Res < 0 {
			d.missed(c.UserData, c.Res)
		}
	default:
		d.stats.Stale++
	}
}
