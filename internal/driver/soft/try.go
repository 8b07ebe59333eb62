package soft

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Try runs the op as a plain call. It uses no state of the driver that changes, so any goroutine may call it.
func (d *engine) Try(o *op.Op) (res int32, ok bool) {
	if o.Selects() {
		return 0, false // only the driver's thread takes buffers from the pool
	}
	switch o.Code {
	case op.Read, op.Write:
		if o.Flags&op.NowOnly == 0 && sys.IsRegular(o.FD.Sys()) {
			return 0, false // the call may wait for a disk
		}
	case op.Timeout:
		return 0, false
	default:
		if o.Def().Kind == op.Blocking {
			return driver.Cached(o)
		}
	}
	for {
		switch res = d.bounded(o, attempt(o)); res {
		case -sys.EINTR:
		case -sys.EAGAIN:
			return 0, false
		default:
			return res, true
		}
	}
}

// attempt is o.Attempt, and reports the transfer to the race detector, which does not see memory accesses and ordering
// through the kernel.
func attempt(o *op.Op) int32 {
	if !race.Enabled {
		return o.Attempt()
	}
	if o.Def().Kind == op.Blocking {
		return driver.Call(o)
	}
	if o.Def().Interest&sys.PollOut != 0 {
		o.EachRead(race.ReadRange)
		race.WriteLike()
		res := o.Attempt()
		if o.Code == op.Connect && res >= 0 {
			race.ReadLike()
		}
		return res
	}
	res := o.Attempt()
	if res >= 0 {
		race.ReadLike()
		o.EachWritten(res, race.WriteRange)
	}
	return res
}
