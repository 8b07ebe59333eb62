package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A zero-copy send has two completions: one when the kernel has taken the bytes, one when it no longer needs their
// memory.
//
//	entry ──▶ result, More ──▶ next entry, after readiness, if it is Full and came short
//	             │      └────▶ result to the owner, More; the stream is free for others
//	             ▼
//	          NOTIF, which may be late ──▶ Notif to the owner, once the last one is there
//
// Entries don't wait (see ready.go), so several entries may have been sent for one op before the first notification
// comes. Each counts as in flight until its own notification. If there are none the op ends with its result.

// zeroCopyCompleted takes in a completion of a zero-copy send's entry.
func (d *ring) zeroCopyCompleted(o *op.Op, res int32, flags uint32, done *driver.Queue) {
	if flags&op.Notif != 0 {
		d.inFlight--
		if o.Notifs--; o.Notifs == 0 && o.Mode == waitsNotif {
			d.returned(o, done)
		}
		return
	}
	if flags&op.More != 0 {
		o.Notifs++
	} else {
		d.inFlight--
	}
	switch res = sys.Sent(res); {
	case o.Canceled && (res == -sys.EAGAIN || res == -sys.EINTR || refused(res)):
		d.end(o, o.Failed(-sys.ECANCELED), 0, done)
		return
	case res == -sys.EAGAIN:
		o.Mode = waitsReady
		d.restart(o)
		return
	case res == -sys.EINTR:
		d.restart(o)
		return
	case refused(res):
		d.stats.Fallbacks++
		o.Mode = waitsPlain
		d.restart(o)
		return
	case res > 0 && o.Flags&op.Full != 0:
		if o.Done += uint32(res); int(o.Done) < len(o.Buf) && !o.Canceled {
			o.Mode = waitsReady
			d.restart(o)
			return
		}
	}
	d.end(o, o.Ended(res), 0, done)
}

// refused reports whether the kernel would send the bytes with a copy, but not without: not on such a socket, or not
// with so much memory in use.
func refused(res int32) bool {
	return res == -sys.EOPNOTSUPP || res == -sys.ENOMEM || res == -sys.ENOBUFS
}

// owed keeps an op that has its result until its notifications have come. Other ops on its stream need not wait for
// those, nor the owner for a count. An error ends the op, so it is reported together with the last notification.
func (d *ring) owed(o *op.Op, res int32, done *driver.Queue) {
	o.State, o.Mode, o.Res = op.InFlight, waitsNotif, res
	if res >= 0 {
		o.Res = 0
		d.stats.Completions++
		done.Push(driver.Completion{Op: o, Res: res, Flags: op.More})
	}
	d.startNext(o)
}

// returned ends an op whose memory the kernel no longer uses.
func (d *ring) returned(o *op.Op, done *driver.Queue) {
	flags := uint32(0)
	if o.Res == 0 {
		flags = op.Notif
	}
	o.State = op.Idle
	o.FD.Unref()
	d.stats.Completions++
	done.Push(driver.Completion{Op: o, Res: o.Res, Flags: flags})
}
