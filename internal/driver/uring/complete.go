package uring

import (
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// complete turns one CQE of an op into the completions that the driver contract promises.
func (d *ring) complete(o *op.Op, res int32, flags uint32, done *driver.Queue) {
	if o.Code == op.SendZC {
		d.zeroCopyCompleted(o, res, flags, done)
		return
	}
	if flags&op.More != 0 {
		if unwanted(o, res) {
			sys.Close(res)
			return
		}
		d.stats.Completions++
		done.Push(driver.Completion{Op: o, Res: res, Flags: flags})
		return
	}
	d.inFlight--
	d.passed = d.passed || o.Code == op.Poll
	if o.Mode == waitsNext && res >= 0 && !o.Canceled {
		d.stats.Completions++
		done.Push(driver.Completion{Op: o, Res: res, Flags: op.More})
		d.restart(o)
		return
	}
	switch {
	case res == -sys.EAGAIN || res == -sys.EINTR:
		if !o.Canceled {
			d.again(o, res)
			return
		}
		res = -sys.ECANCELED
	case res == -sys.ECANCELED && !o.Canceled && byItself(o.Mode) && maybeInThread(o):
		d.givenUp(o)
		return
	case o.Code == op.Connect && (res == -sys.EALREADY || res == -sys.EISCONN) && !o.Canceled && byItself(o.Mode) &&
		o.Ext.Addr.Family() == sys.AFVsock:
		// Until Linux 6.0 the kernel calls connect(2) again at readiness, for the result. Sockets of this family don't
		// tell it that way.
		d.stats.Fallbacks++
		o.Done, o.Mode = 1, waitsPlain // it is under way
		d.restart(o)
		return
	case res == -sys.ENOBUFS:
		d.stats.NoBuffers++
	}
	if o.Flags&op.Full != 0 {
		if res > 0 {
			o.Done += uint32(res)
			if int(o.Done) < len(o.Buf) && !o.Canceled {
				d.restart(o)
				return
			}
		}
		res = o.Ended(res)
	}
	d.end(o, res, flags, done)
}

// again restarts an op for which the kernel did not wait, as with reads and writes of non-blocking descriptors: first
// with a poll, and after that with the op.
func (d *ring) again(o *op.Op, res int32) {
	d.stats.Fallbacks++
	if res == -sys.EAGAIN && o.Interest() != 0 && o.Code != op.Poll {
		o.Mode = waitsReady
	}
	d.restart(o)
}

// givenUp restarts an op without the kernel's threads. The kernel ends with -ECANCELED what it had left to a thread
// that can't begin it: under a limit of threads, or because signals kept coming. It leaves files and names to threads
// always, and streams where nothing else works: a FIFO, or a pipe in blocking mode on an older kernel.
func (d *ring) givenUp(o *op.Op) {
	d.stats.Fallbacks++
	o.Mode = waitsPlain
	if waitsInCall(o) {
		o.Mode = waitsFile
	}
	d.restart(o)
}

// maybeInThread reports whether the kernel may have left the op to one of its threads; it never does so with polls and
// multishot ops.
func maybeInThread(o *op.Op) bool {
	return waitsInCall(o) || o.Interest() != 0 && o.Code != op.Poll && o.Flags&op.Multishot == 0
}

// waitsInCall reports whether the op waits in the call itself, so that a worker has to make the call.
func waitsInCall(o *op.Op) bool {
	return o.Def().Kind == op.Blocking || (o.Code == op.Read || o.Code == op.Write) && sys.IsRegular(o.FD.Sys())
}

func (d *ring) restart(o *op.Op) {
	o.State = op.Queued
	d.start(o)
}

// unwanted reports whether a result is a descriptor that the op's owner will not take.
func unwanted(o *op.Op, res int32) bool {
	return o.Canceled && res >= 0 && o.Def().FDResult && o.Flags&op.Keep == 0
}

// end completes an op for the last time: from here on it belongs to its owner.
func (d *ring) end(o *op.Op, res int32, flags uint32, done *driver.Queue) {
	if o.Notifs != 0 {
		d.owed(o, res, done)
		return
	}
	if unwanted(o, res) {
		sys.Close(res)
		res = -sys.ECANCELED
	}
	d.release(o)
	if race.Enabled && flags&op.HasBuffer == 0 {
		o.EachWritten(res, race.WriteRange)
	}
	d.stats.Completions++
	done.Push(driver.Completion{Op: o, Res: res, Flags: flags})
}

// release drops the op's hold on its descriptor, and starts the op that waited for its stream.
func (d *ring) release(o *op.Op) {
	o.State = op.Idle
	if o.FD == nil {
		return
	}
	o.FD.Unref()
	d.startNext(o)
}

// startNext gives the op's stream to the next op that waits for it.
func (d *ring) startNext(o *op.Op) {
	dir := direction(o)
	if dir == 0 || o.FD.Unclaim(dir) == 0 {
		return
	}
	next := d.deferred.RemoveFirst(func(w *op.Op) bool { return w.FD == o.FD && direction(w) == dir })
	if next != nil {
		next.FD.Claim(dir)
		next.FD.Unwait(dir)
		d.start(next)
	}
}
