package uring

import (
	"ringo/internal/driver"
	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Blocking ops without an entry go to workers, and so do ops with op.Offload, and reads and writes of regular files for
// which the kernel has no entry: readiness means nothing to these.

// filesMax bounds the workers' calls at a time.
const filesMax = 16

// submitOffloads gives the workers the ops that wait for them.
func (d *ring) submitOffloads() {
	for !d.toOffload.Empty() {
		d.submitOffload(d.toOffload.Pop())
	}
}

// submitOffload gives an op to the workers. The first call makes them.
func (d *ring) submitOffload(o *op.Op) {
	if d.files == nil {
		d.files, d.offloads.Block = offload.NewWorkers(filesMax, offload.Process, d.signal), block
	}
	f := d.offloads.Add(o)
	f.Call = f.Run
	switch o.Code {
	case op.Read:
		f.Kind, f.FD, f.Buf, f.Off = offload.Read, o.FD.Sys(), o.Buf, o.Off
	case op.Write:
		f.Kind, f.FD, f.Buf, f.Off = offload.Write, o.FD.Sys(), o.Buf[o.Done:], o.Rest()
	default:
		f.Kind = offload.Call
	}
	o.State = op.InFlight
	d.inFlight++
	d.stats.Submitted++
	if d.files.Submit(&f.Request) < 0 {
		panic("driver/uring: the workers are closed and the driver is not")
	}
}

// block makes a call that may wait, on a worker's goroutine.
func block(o *op.Op) int32 {
	for {
		if res := driver.Call(o); res != -sys.EINTR {
			return res
		}
	}
}

// completeOffloads completes the ops whose calls have returned.
func (d *ring) completeOffloads(done *driver.Queue) {
	if d.offloads.Len() == 0 {
		return
	}
	for r := d.files.Next(); r != nil; r = d.files.Next() {
		o, res := d.offloads.Remove(r.User.(*driver.Job)), r.Res
		if res == -sys.EAGAIN { // there is nothing to wait for
			res = -sys.EPERM
		}
		d.complete(o, res, 0, done)
	}
	d.submitOffloads() // ops that go on after a short count
}

// cancelOffload takes back an op that no worker has begun. The others end when their calls return, because a running
// call uses the op's memory.
func (d *ring) cancelOffload(o *op.Op) {
	f := d.offloads.Of(o)
	if d.files.Cancel(&f.Request) {
		d.offloads.Remove(f)
		d.inFlight--
		d.early = append(d.early, endedOp{o, o.Failed(-sys.ECANCELED), true})
	}
}
