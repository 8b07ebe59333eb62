package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A zero-copy send has two completions: the kernel has taken the bytes, and nobody
// needs them any more.
//
//	entry ──▶ result, More ──▶ next entry, after readiness, if it is Full and came short
//	             │      └────▶ result to the owner, More; the stream is free for others
//	             ▼
//	          NOTIF, which may be late ──▶ Notif to the owner, once the last one is there
//
// Entries don't wait (see ready.go), so several may have been sent for one op before
// the first notification comes. Each of them is a request in flight until its own.
// Without notifications the op ends with its result.

// zeroCopyCompleted sorts a completion of a zero-copy send's entry.
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
	if o.Flags&op.Full == 0 {
		d.end(o, res, 0, done)
		return
	}
	d.end(o, o.Failed(res), 0, done)
}

// refused reports whether the kernel would send that, but not without a copy: not on
// such a socket, or not with so much memory in use.
func refused(res int32) bool {
	return res == -sys.EOPNOTSUPP || res == -sys.ENOMEM || res == -sys.ENOBUFS
}

// owed keeps an op that is done until its notifications have come. The others on its
// stream need not wait for that, nor its owner for a count; an error is the end and
// comes with it.
func (d *ring) owed(o *op.Op, res int32, done *driver.Queue) {
	o.State, o.Mode, o.Res = op.InFlight, waitsNotif, res
	if res >= 0 {
		o.Res = 0
		d.stats.Completions++
		done.Push(driver.Completion{Op: o, Res: res, Flags: op.More})
	}
	d.startNext(o)
}

// returned ends an op whose memory is its owner's again.
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
