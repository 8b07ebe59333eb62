package soft

import (
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// arm makes the poller report what r's ops wait for. On an edge-triggered poller that takes one call in the
// descriptor's life, because it asks for all events at once.
func (d *engine) arm(r *registration) {
	want := uint32(allMask)
	if d.edge {
		if r.armed != 0 || r.in.Empty() && r.out.Empty() && r.watch.Empty() {
			return
		}
	} else if want = r.wants(); want == r.armed {
		return
	}
	if res := d.tell(r, want); res < 0 {
		d.disarmed(r, res)
		return
	}
	r.armed = want
}

// tell adds r to the poller, changes its interest to want, or removes it if want is 0.
func (d *engine) tell(r *registration, want uint32) int32 {
	switch {
	case want == 0:
		return d.p.Remove(r.sys)
	case r.armed != 0:
		return d.p.Modify(r.sys, want, r.key())
	}
	res := d.p.Add(r.sys, want, r.key())
	if res == -sys.EEXIST {
		// A handle was dropped without Close, and its number names the same file.
		res = d.p.Modify(r.sys, want, r.key())
	}
	return res
}

// disarmed ends the waits on a descriptor that the poller has refused with res. -EPERM means that the descriptor has no
// readiness: then it counts as always ready for Poll ops, and its reads and writes, which may block, go to the offload.
// All other ops end with res.
func (d *engine) disarmed(r *registration, res int32) {
	if res == -sys.EPERM {
		r.checked, r.file = true, true
	}
	for !r.watch.Empty() {
		o := r.watch.Pop()
		if r.file {
			d.end(o, noWait(attempt(o)), 0)
		} else {
			d.end(o, res, 0)
		}
	}
	for _, s := range [...]*direction{&r.in, &r.out} {
		s.ready = untried
		for !s.Empty() {
			o := s.Pop()
			if r.file && (o.Code == op.Read || o.Code == op.Write) {
				d.stats.Fallbacks++
				d.offload(o)
			} else {
				d.end(o, o.Ended(res), 0)
			}
		}
	}
}

// noWait returns the result of a call on a descriptor that no poller can wait for. -EAGAIN becomes the error with which
// the poller refused the descriptor, -EPERM.
func noWait(res int32) int32 {
	if res == -sys.EAGAIN {
		return -sys.EPERM
	}
	return res
}

// event passes the readiness in e to the ops that wait for it. On an edge-triggered poller an eventfd is never read:
// each signal makes another edge. A waker that fills up is read on every poller.
func (d *engine) event(e *poller.Event) {
	if e.Key == wakeKey {
		if !d.edge || sys.WakerFills {
			d.waker.Unsignal()
		}
		return
	}
	r := d.regs.find(e.Key)
	if r == nil {
		d.stats.Stale++
		return
	}
	r.in.ready |= e.Ready & inMask
	r.out.ready |= e.Ready & outMask
	if !r.watch.Empty() {
		d.notify(r, e.Ready)
	}
	if !r.in.Empty() {
		d.advance(r, &r.in)
	}
	if o := r.out.First(); o != nil && !r.resting {
		before := o.Done
		d.advance(r, &r.out)
		if e.Ready&sys.PollOut != 0 && r.out.First() == o && o.Done == before && r.out.ready == 0 {
			d.pauseSends(r)
		}
	}
	if e.Ready&sys.PollNval != 0 {
		d.disarmed(r, -sys.EBADF) // the program has closed the descriptor while ops wait on it
		if d.edge {
			d.p.Remove(r.sys)
			r.armed = 0
		}
	}
	if !d.edge {
		d.arm(r)
	}
}

// notify completes the Poll ops that asked for any of the bits in ready. A level-triggered poller would report the same
// readiness again until it is used up, so there a multishot op ends with its first completion, and its owner submits it
// again after it has read.
func (d *engine) notify(r *registration, ready uint32) {
	for o := r.watch.First(); o != nil; {
		next := o.Next
		switch mask := ready & (uint32(o.Events) | pollMask); {
		case mask == 0:
		case d.edge && o.Flags&op.Multishot != 0:
			d.yield(o, int32(mask), 0)
		default:
			r.watch.Remove(o)
			d.end(o, int32(mask), 0)
		}
		o = next
	}
}

// Forget ends the registration of a descriptor, before the descriptor is closed: see the package comment.
func (d *engine) Forget(f *fd.FD) {
	r := d.regs.of(f)
	if r == nil {
		return
	}
	d.own("Forget of a registered descriptor")
	if r.armed != 0 {
		d.p.Remove(r.sys)
	}
	d.regs.put(r)
}
