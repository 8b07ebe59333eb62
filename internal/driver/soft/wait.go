package soft

import (
	"math"
	"os"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Wait makes the sends of the outbox, starts new ops and collects events. It asks the poller at least once, and sleeps
// only while there is nothing to report.
func (d *engine) Wait(deadline int64, done *driver.Queue) error {
	d.own("Wait")
	d.done = done
	d.send()
	if d.dead != nil {
		d.endAll()
		return d.dead
	}
	before := d.stats.Completions
	woken := d.awake()
	for {
		d.work()
		timeout, late := d.timeout(deadline)
		if woken || d.hot != nil || d.stats.Completions != before || d.outbox.Failed() {
			timeout = 0
		}
		slept, n := d.collect(timeout)
		if late {
			done.Looked = d.collectRest(n)
		}
		if d.awake() {
			woken = true
			if slept {
				d.stats.Wakes++
			}
		}
		d.completeJobs()
		d.expire()
		d.resumeSends()
		if d.dead != nil {
			d.endAll()
			return d.dead
		}
		if n == 0 && timeout > 0 && d.now() >= deadline { // the poller slept until the deadline, and found no event
			late, done.Looked = true, true
		}
		if woken || late || d.stats.Completions != before || d.outbox.Failed() || deadline == driver.Poll {
			d.done = nil
			return nil
		}
	}
}

// send makes the sends of the outbox.
func (d *engine) send() {
	if d.outbox.Len() == 0 {
		return
	}
	d.stats.Sends += d.outbox.SendAll(0)
	if d.outbox.Short {
		d.stats.ShortSends += d.outbox.CountShort()
	}
}

// endAll ends all submitted ops, after the poller has died. Calls that a worker or the kernel has begun end by
// themselves.
func (d *engine) endAll() {
	if !d.closed {
		d.cancelAll()
		d.work()
	}
	d.done = nil
}

// cancelAll cancels all submitted ops.
func (d *engine) cancelAll() {
	d.slab.Each(func(o *op.Op) {
		if (o.State == op.Queued || o.State == op.InFlight) && !o.Canceled {
			d.Cancel(o)
		}
	})
}

// work starts the ops that were submitted, reports those that were cancelled, and continues where an earlier Wait
// stopped.
func (d *engine) work() {
	for queue := d.queue.TakeAll(); !queue.Empty(); {
		d.start(queue.Pop())
	}
	for ended := d.ended.TakeAll(); !ended.Empty(); {
		o := ended.Pop()
		d.end(o, o.Failed(-sys.ECANCELED), 0)
	}
	if d.hot != nil {
		d.cool()
	}
	d.files.flush()
	d.completeJobs()
}

// collect asks the poller once, and runs the ops for which there are events. It does not sleep if a signal has come
// since the gate was last asked; slept reports whether it was free to sleep. n is the number of events, or a negated
// errno.
func (d *engine) collect(timeout int64) (slept bool, n int32) {
	if timeout != 0 {
		if slept = d.gate.Announce(); !slept {
			timeout = 0
		}
	}
	if d.fault != nil {
		if d.dead = d.fault(); d.dead != nil {
			return slept, 0
		}
	}
	d.stats.Enters++
	n = d.p.Wait(timeout, d.events[:])
	if n < 0 && n != -sys.EINTR {
		d.dead = os.NewSyscallError(d.p.Name()+" wait", posix.Of(n))
	}
	for i := range max(n, 0) {
		d.event(&d.events[i])
	}
	return slept, n
}

// collectRest asks the poller again for as long as its answers, the last one of n events, are full. It reports whether
// the driver has now seen every event that had come before. The number of rounds is bounded by the number of ops, so
// that events which come meanwhile don't hold up Wait.
func (d *engine) collectRest(n int32) bool {
	for rounds := d.slab.Used() / len(d.events); rounds >= 0 && int(n) == len(d.events); rounds-- {
		_, n = d.collect(0)
	}
	return n >= 0
}

// timeout returns how long to sleep at most: until the deadline, the first timer or the end of a rest. late reports
// whether the deadline has passed. Wait computes it anew in each round, because a poller may sleep for less than it was
// asked to, after a signal or because it goes by another clock.
func (d *engine) timeout(deadline int64) (ns int64, late bool) {
	next := min(deadline, d.timers.next())
	if d.resting != nil {
		next = min(next, d.rested)
	}
	switch next {
	case driver.Poll:
		return 0, false
	case driver.Forever:
		return -1, false
	}
	now := d.now()
	return max(next, now) - now, deadline <= now
}

// expire ends the Timeout ops that are due.
func (d *engine) expire() {
	if d.timers.next() == math.MaxInt64 {
		return
	}
	for now := d.now(); d.timers.next() <= now; {
		d.end(d.timers.pop(), -sys.ETIME, 0)
	}
}

// Wake ends the present Wait or the next one.
func (d *engine) Wake() {
	d.called.Store(true)
	if d.wake() {
		d.sent.Add(1)
	}
}

// signal ends the owner's sleep, for a job that has ended. Unlike Wake it does not end the Wait.
func (d *engine) signal() { d.wake() }

// wake is signal, and reports whether it took a system call.
func (d *engine) wake() bool {
	if !d.gate.Notify() {
		return false
	}
	d.waker.Signal()
	if d.gate.Signalled() {
		d.waker.Close()
	}
	return true
}

// awake reports whether Wake was called since the last time. The gate alone does not tell: a job that has ended also
// signals, which ends no Wait, and a gate that has refused to let the owner sleep no longer knows the reason.
func (d *engine) awake() bool {
	d.gate.Awake()
	return d.called.Load() && d.called.Swap(false)
}
