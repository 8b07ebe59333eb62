package simdriver

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// start handles a submitted op for the first time.
func (d *engine) start(o *op.Op) {
	if o.Canceled {
		d.end(o, o.Failed(-sys.ECANCELED), 0)
		return
	}
	o.State = op.InFlight
	switch o.Def().Kind {
	case op.Timed:
		d.after(o, o.Ext.Time.Sec*1e9+o.Ext.Time.Nsec)
	case op.Blocking:
		d.after(o, int64(d.h.DiskTime(o)))
	case op.Pollable:
		d.wait(o)
	default:
		d.end(o, d.h.Attempt(o), 0)
	}
}

// after finishes the op when the clock has advanced by so much.
func (d *engine) after(o *op.Op, ns int64) {
	o.Mode = modeTime
	if ns <= 0 && o.Def().Kind != op.Timed {
		d.finish(o)
		return
	}
	d.times[o] = d.w.After(time.Duration(max(ns, 0)), func() {
		delete(d.times, o)
		o.Mode = modeMade
		d.made.Push(o)
		d.cfg.Rouse()
	})
}

// finish ends an op whose time has come.
func (d *engine) finish(o *op.Op) {
	if o.Code == op.Timeout {
		if o.Canceled {
			d.end(o, -sys.ECANCELED, 0)
			return
		}
		d.end(o, -sys.ETIME, 0)
		return
	}
	if res, ok := d.results[o]; ok {
		delete(d.results, o)
		d.end(o, res, 0)
		return
	}
	if o.Def().Kind == op.Pollable && o.Code != op.Read && o.Code != op.Write { // the other end is not on a disk
		if o.Canceled {
			d.end(o, o.Failed(-sys.ECANCELED), 0)
			return
		}
		d.waitReady(o)
		return
	}
	res, takes := d.h.Timed(o)
	if o.Code == op.Call && takes > 0 {
		d.results[o] = res
		d.after(o, int64(takes))
		return
	}
	if res == -sys.EAGAIN && !o.Canceled { // it is a pipe, and no disk's affair
		d.waitReady(o)
		return
	}
	if res == -sys.EAGAIN {
		res = -sys.ECANCELED
	}
	if o.Flags&op.Full != 0 {
		if res > 0 {
			if o.Done += uint32(res); int(o.Done) < len(o.Buf) && !o.Canceled {
				d.after(o, int64(d.h.DiskTime(o)))
				return
			}
		}
		res = o.Ended(res)
	}
	if o.Canceled && res >= 0 && o.Def().FDResult && o.Flags&op.Keep == 0 {
		d.h.Close(res)
		res = -sys.ECANCELED
	}
	d.end(o, res, 0)
}
