package soft

import (
	"ringo/internal/op"
	"ringo/internal/sys"
)

// advance runs the ops of a direction in order, until one has to wait or attemptsMax attempts were made. In the second
// case the next round of Wait continues with the registration.
func (d *engine) advance(r *registration, s *direction) {
	for attempts := 0; !s.Empty() && s.ready != 0; attempts++ {
		if attempts == attemptsMax {
			d.heat(r)
			return
		}
		if o := s.First(); o.Selects() {
			d.receive(r, s, o)
		} else {
			d.attemptFirst(r, s, o)
		}
	}
}

// attemptFirst tries the first op of a direction once.
func (d *engine) attemptFirst(r *registration, s *direction, o *op.Op) {
	res := d.bounded(o, attempt(o))
	switch {
	case res == -sys.EAGAIN:
		s.ready = 0
		return
	case res == -sys.EINTR:
		return
	case res >= 0 && o.Flags&op.Multishot != 0: // an accept
		d.yield(o, res, 0)
		return
	case o.Flags&op.Full != 0:
		if res > 0 {
			o.Done += uint32(res)
			if int(o.Done) < len(o.Buf) {
				return
			}
		}
		res = o.Ended(res)
	case o.Code == op.Recv || o.Code == op.Read:
		d.drained(r, s, o, int(res), len(o.Buf))
	}
	s.Pop()
	d.end(o, res, 0)
}

// receive tries a receive that takes a buffer of the pool, now that there may be data. The buffer goes back to the pool
// if no bytes arrived.
func (d *engine) receive(r *registration, s *direction, o *op.Op) {
	mem, id, ok := d.pool.LendOne()
	if !ok {
		d.stats.NoBuffers++
		s.Pop()
		d.end(o, -sys.ENOBUFS, 0)
		return
	}
	o.Buf = mem
	res := attempt(o)
	o.Buf = nil
	if res <= 0 {
		d.pool.Unlend(id)
		switch res {
		case -sys.EAGAIN:
			s.ready = 0
		case -sys.EINTR:
		default:
			s.Pop()
			d.end(o, res, 0)
		}
		return
	}
	d.drained(r, s, o, int(res), len(mem))
	flags := op.HasBuffer | uint32(id)<<16
	if o.Flags&op.Multishot != 0 {
		d.yield(o, res, flags)
		return
	}
	s.Pop()
	d.end(o, res, flags)
}

// drained clears the readiness of a direction after a short read, without the EAGAIN, where a short read proves that
// the queue is empty: see the package comment.
func (d *engine) drained(r *registration, s *direction, o *op.Op, got, asked int) {
	if got > 0 && got < asked && s.ready&lasting == 0 && o.CallFlags == 0 && r.isTCP() {
		s.ready = 0
	}
}

// heat makes the next round of Wait, in this call or the next, continue with r and not sleep.
func (d *engine) heat(r *registration) {
	if !r.heated {
		r.heated = true
		r.hot = d.hot
		d.hot = r
	}
}

// cool continues with the registrations that heat has put into the list.
func (d *engine) cool() {
	r := d.hot
	d.hot = nil
	for r != nil {
		next := r.hot
		r.hot, r.heated = nil, false
		d.advance(r, &r.in)
		d.advance(r, &r.out)
		d.arm(r)
		r = next
	}
}

// yield reports a completion of o that is not its last one.
func (d *engine) yield(o *op.Op, res int32, flags uint32) {
	d.stats.Completions++
	d.done.Yield(o, res, flags)
}

// end reports the last completion of o. From here on the op belongs to its owner again.
func (d *engine) end(o *op.Op, res int32, flags uint32) {
	d.stats.Completions++
	d.done.End(o, res, flags)
}
