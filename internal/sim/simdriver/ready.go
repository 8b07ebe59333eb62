package simdriver

import (
	"fmt"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sys"
)

// attemptsMax bounds the tries on one direction of a descriptor in one Wait, as it does in driver/soft.
const attemptsMax = 32

// registration holds the ops that wait on a descriptor.
type registration struct {
	d       *engine
	f       *fd.FD
	number  int32
	watch   *memkernel.Watch
	polls   op.List
	in, out op.List
	heated  bool
}

// withdraw takes a waiting op out of its registration.
func (d *engine) withdraw(o *op.Op) {
	r := d.regs[o.FD]
	from := r.listOf(o)
	if !from.Remove(o) {
		panic(fmt.Sprintf("driver/sim: %s is not where it waits (fd %d)", o.Def().Name, r.number))
	}
	r.heat() // for the op behind it
}

func (r *registration) listOf(o *op.Op) *op.List {
	switch {
	case o.Code == op.Poll:
		return &r.polls
	case o.Def().Interest&sys.PollOut != 0, o.Code == op.WriteAt, o.Code == op.WriteVec:
		return &r.out
	}
	return &r.in
}

// Forget drops what is kept for a descriptor.
func (d *engine) Forget(f *fd.FD) {
	r := d.regs[f]
	if r == nil {
		return
	}
	if !r.polls.Empty() || !r.in.Empty() || !r.out.Empty() {
		panic(fmt.Sprintf("driver/sim: descriptor %d is forgotten while ops wait on it", r.number))
	}
	r.end()
}

func (r *registration) end() {
	if r.watch != nil {
		r.watch.Stop()
	}
	delete(r.d.regs, r.f)
}

// wait puts an op into the list of its descriptor, and tries it if it is the first there.
func (d *engine) wait(o *op.Op) {
	if o.Flags&op.Multishot != 0 && (!o.Def().Multishot || o.Def().Select && o.Flags&op.Select == 0) {
		d.end(o, -sys.EINVAL, 0)
		return
	}
	if d.h.WaitsForDisk(o) {
		d.after(o, int64(d.h.DiskTime(o)))
		return
	}
	d.waitReady(o)
}

func (d *engine) waitReady(o *op.Op) {
	r := d.regs[o.FD]
	if r == nil {
		r = &registration{d: d, f: o.FD, number: o.FD.Sys()}
		r.watch = d.h.Watch(r.number, r.heat)
		d.regs[o.FD] = r
	}
	o.Mode = modeDirection
	l := r.listOf(o)
	if l.Push(o); o.Code == op.Poll {
		o.Mode = modePoll
		d.tellPolls(r)
		return
	}
	if l.First() == o {
		d.advance(r, l)
	}
}

// heat makes the next Wait try again.
func (r *registration) heat() {
	if !r.heated {
		r.heated = true
		r.d.hot = append(r.d.hot, r)
		r.d.cfg.Rouse()
	}
}

func (d *engine) goOn(r *registration) {
	d.tellPolls(r)
	d.advance(r, &r.in)
	d.advance(r, &r.out)
}

// tellPolls completes the Poll ops that asked for anything that is ready.
func (d *engine) tellPolls(r *registration) {
	if r.polls.Empty() {
		return
	}
	ready := d.h.Ready(r.number)
	for o := r.polls.First(); o != nil; {
		next := o.Next
		mask := ready & (uint32(o.Events) | sys.PollErr | sys.PollHup | sys.PollRdhup)
		switch {
		case ready == sys.PollNval:
			r.polls.Remove(o)
			d.end(o, -sys.EBADF, 0)
		case mask == 0:
		case o.Flags&op.Multishot != 0:
			d.yield(o, int32(mask), 0)
		default:
			r.polls.Remove(o)
			d.end(o, int32(mask), 0)
		}
		o = next
	}
}

// advance tries the ops of a direction in order, until one must wait.
func (d *engine) advance(r *registration, l *op.List) {
	for n := 0; !l.Empty(); n++ {
		if n == attemptsMax {
			r.heat()
			return
		}
		if !d.attempt(l, l.First()) {
			return
		}
	}
}

// attempt tries the first op of a direction once. It returns false if the op must wait.
func (d *engine) attempt(l *op.List, o *op.Op) bool {
	if o.Selects() {
		return d.receive(l, o)
	}
	res := d.h.Attempt(o)
	switch {
	case res == -sys.EAGAIN:
		return false
	case res >= 0 && o.Flags&op.Multishot != 0: // an accept
		d.yield(o, res, 0)
		return true
	case o.Flags&op.Full != 0:
		if res > 0 {
			if o.Done += uint32(res); int(o.Done) < len(o.Buf) {
				return true
			}
		}
		res = o.Ended(res)
	}
	l.Pop()
	d.end(o, res, 0)
	return true
}

// receive tries a receive that takes its buffer now, because there may be bytes.
func (d *engine) receive(l *op.List, o *op.Op) bool {
	mem, id, ok := d.cfg.Ring.LendOne()
	if !ok {
		d.stats.NoBuffers++
		l.Pop()
		d.end(o, -sys.ENOBUFS, 0)
		return true
	}
	o.Buf = mem
	res := d.h.Attempt(o)
	o.Buf = nil
	if res <= 0 {
		d.cfg.Ring.Unlend(id)
		if res == -sys.EAGAIN {
			return false
		}
		l.Pop()
		d.end(o, res, 0)
		return true
	}
	flags := op.HasBuffer | uint32(id)<<16
	if o.Flags&op.Multishot != 0 {
		if o.Done += uint32(res); o.Limit == 0 || o.Done < o.Limit {
			d.yield(o, res, flags)
			return true
		}
	}
	l.Pop()
	d.end(o, res, flags)
	return true
}
