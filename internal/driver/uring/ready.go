package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Sends wait for room by a poll and are then plain calls. The kernel must not wait for them: every poll of a socket,
// even the one inside a send, reports the peer's half-close. Once that has come the kernel tries, waits for nothing,
// and tries again; after 128 rounds it hands the send to a worker thread, which sits there until the peer reads, and
// which a cancel does not always reach. So each peer that closes its side and does not read would cost a thread.
//
// A poll that ends at the first readiness has the same flaw, so it is only the first wait. If it brings the half-close
// and no room, the op goes on with a multishot poll, which reports changes. If the poll has reported room where there
// is none the op waits for a pause instead: a Unix socket that is not connected has room of its own, but the socket
// that a datagram goes to may have none, and each try takes room and gives it back, which the poll would report as
// news.

// Receives that select a buffer are plain calls after a poll, too, if the kernel has no buffer ring to select from;
// and so is any other op without an entry.

// selects reports whether the driver itself has to select a buffer for the op.
func (d *ring) selects(o *op.Op) bool { return o.Flags&op.Select != 0 && !d.pool.Lends() }

// polled takes in a completion of the op's poll, and goes on with the op.
func (d *ring) polled(o *op.Op, res int32, flags uint32, done *driver.Queue) {
	if flags&op.More != 0 {
		if o.Mode == waitsEdge && !o.Canceled && d.advance(o, done) {
			o.Mode = waitsPollEnd
			d.cancelToken(o)
		}
		return
	}
	d.inFlight--
	switch {
	case o.Mode == waitsPollEnd:
		d.finish(o, done)
	case o.Canceled:
		d.end(o, o.Failed(-sys.ECANCELED), 0, done)
	case res < 0 && res != -sys.EAGAIN && res != -sys.EINTR && res != -sys.ECANCELED && res != -sys.ETIME:
		d.end(o, o.Failed(res), 0, done)
	case o.Mode != waitsPlain && !outward(o) && !d.selects(o) && d.way(o).Prep != nil:
		o.Mode = d.mode(o)
		d.restart(o)
	case (o.Mode == waitsReady || o.Mode == waitsPlain) && res >= 0 &&
		uint32(res)&(o.Interest()|sys.PollErr|sys.PollHup) == 0:
		o.Mode = waitsEdge
		if !d.edges {
			o.Mode = waitsPause
		}
		d.restart(o)
	case o.Mode == waitsReady && o.Code == op.SendZC && d.way(o).Prep != nil:
		o.Mode = waitsItself
		d.restart(o)
	default:
		before := o.Done
		if d.advance(o, done) {
			d.finish(o, done)
			return
		}
		if (o.Mode == waitsReady || o.Mode == waitsPlain) && res > 0 && uint32(res)&sys.PollOut != 0 &&
			o.Done == before {
			o.Mode = waitsPause
		}
		d.restart(o)
	}
}

// outward reports whether an op sends on a stream.
func outward(o *op.Op) bool {
	return o.Interest() == sys.PollOut && o.Code != op.Connect && o.Code != op.Poll
}

// finish ends an op with the result that advance has left in it.
func (d *ring) finish(o *op.Op, done *driver.Queue) {
	flags := uint32(0)
	if d.selects(o) {
		flags, o.Done = o.Done, 0
	}
	d.end(o, o.Res, flags, done)
}

// receive fills buffers of the pool until there is no more, as a multishot receive does, or one buffer if the op is
// not multishot. It reports true when the op is done: the result is then in Res, and the completion's flags are in
// Done.
func (d *ring) receive(o *op.Op, done *driver.Queue) bool {
	for {
		mem, id, ok := d.pool.LendOne()
		if !ok {
			d.stats.NoBuffers++
			o.Res = -sys.ENOBUFS
			return true
		}
		o.Buf = mem
		res := o.Attempt()
		o.Buf = nil
		if res > 0 {
			if race.Enabled {
				race.ReadLike()
				race.WriteRange(mem[:res])
			}
			flags := op.HasBuffer | uint32(id)<<16
			if o.Flags&op.Multishot == 0 {
				o.Res, o.Done = res, flags
				return true
			}
			d.stats.Completions++
			done.Push(driver.Completion{Op: o, Res: res, Flags: flags | op.More})
			continue
		}
		d.pool.Unlend(id)
		switch res {
		case -sys.EAGAIN:
			return false
		case -sys.EINTR:
		default:
			o.Res = res
			return true
		}
	}
}

// acceptMax bounds the connections that are accepted after one readiness. The next poll then ends at once, so other
// ops have their turn.
const acceptMax = 64

// accept accepts the connections that there are. It reports true when the op is done, with the result in Res.
func (d *ring) accept(o *op.Op, done *driver.Queue) bool {
	for range acceptMax {
		switch res := o.Attempt(); {
		case res >= 0:
			d.stats.Completions++
			done.Push(driver.Completion{Op: o, Res: res, Flags: op.More})
		case res == -sys.EAGAIN:
			return false
		case res != -sys.EINTR:
			o.Res = res
			return true
		}
	}
	return false
}

// tryFresh tries the ops that were armed since the last Wait: a call reports some things that a poll does not, such as
// that a descriptor is of the wrong kind.
func (d *ring) tryFresh(done *driver.Queue) {
	waiting := d.fresh[:0]
	for _, token := range d.fresh {
		o := d.slab.Lookup(token)
		if o != nil && o.State == op.Queued {
			waiting = append(waiting, token)
			continue
		}
		if o == nil || o.State != op.InFlight || o.Canceled || o.Mode == waitsPollEnd || !d.advance(o, done) {
			continue
		}
		o.Mode = waitsPollEnd
		d.cancelToken(o)
	}
	d.fresh = waiting
}

// advance makes the op's call until the op is done or would have to wait. It reports true when it is done, with the
// result in Res.
func (d *ring) advance(o *op.Op, done *driver.Queue) bool {
	if d.selects(o) {
		return d.receive(o, done)
	}
	if o.Flags&op.Multishot != 0 {
		return d.accept(o, done)
	}
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
			o.Res = o.Ended(res)
		}
		return true
	}
}
