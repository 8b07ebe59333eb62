package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Sends wait for room by readiness and are then plain calls. The kernel must not
// wait for them: every poll of a socket, also the one inside a send, reports the
// peer's half-close, so once that has come the kernel tries, waits for nothing,
// and tries again; it goes round 128 times, then hands the send to a worker thread
// that sits there until the peer reads, and that a cancel does not always reach.
// One peer that closes its side and does not read is a thread.
//
// A poll that ends at the first readiness has the same flaw, so it is only the
// first wait. If it brings the half-close and no room, the op goes on with a
// multishot poll, which reports changes.

// firstWait says how an op begins.
func firstWait(o *op.Op) uint8 {
	if o.Code == op.Send || o.Code == op.Sendmsg {
		return waitsReady
	}
	return waitsItself
}

// polled goes on after readiness.
func (d *ring) polled(o *op.Op, res int32, flags uint32, done *driver.Queue) {
	if flags&op.More != 0 {
		if o.Mode == waitsEdge && !o.Canceled && d.advance(o) {
			o.Mode = waitsPollEnd
			d.cancelToken(o)
		}
		return
	}
	d.inFlight--
	switch {
	case o.Mode == waitsPollEnd:
		d.end(o, o.Res, 0, done)
	case o.Canceled:
		d.end(o, so(o, -sys.ECANCELED), 0, done)
	case res < 0 && res != -sys.EAGAIN && res != -sys.EINTR && res != -sys.ECANCELED:
		d.end(o, so(o, res), 0, done)
	case !outward(o):
		o.Mode = waitsItself
		d.restart(o)
	case o.Mode == waitsReady && res >= 0 && uint32(res)&(o.Interest()|sys.PollErr|sys.PollHup) == 0:
		o.Mode = waitsEdge
		d.restart(o)
	case d.advance(o):
		d.end(o, o.Res, 0, done)
	default:
		d.restart(o)
	}
}

// outward reports whether an op sends on a stream.
func outward(o *op.Op) bool {
	return o.Interest() == sys.PollOut && o.Code != op.Connect && o.Code != op.Poll
}

// so is a failed op's result: for one that is to do all, the count that it did.
func so(o *op.Op, res int32) int32 {
	if o.Flags&op.Full != 0 && o.Done > 0 {
		return int32(o.Done)
	}
	return res
}

// advance makes the op's call until it is done, which is true and leaves the
// result in Res, or would have to wait.
func (d *ring) advance(o *op.Op) bool {
	if race.Enabled {
		race.WriteLike()
	}
	for {
		res := o.Attempt()
		switch {
		case res == -sys.EAGAIN:
			return false
		case res == -sys.EINTR:
			continue
		case res > 0 && o.Flags&op.Full != 0:
			o.Done += uint32(res)
			if int(o.Done) < len(o.Buf) {
				continue
			}
			o.Res = int32(o.Done)
		default:
			o.Res = so(o, res)
		}
		return true
	}
}
