package uring

import (
	"ringo/internal/driver"
	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Reads and writes for which the kernel has no entry go to workers if they are of
// a file, to which readiness means nothing.

// filesMax bounds the calls that may block at once.
const filesMax = 16

// flight is an op whose call a worker makes.
type flight struct {
	offload.Request
	o    *op.Op
	run  func() int32
	next *flight // of the spare ones
}

// board hands those over that wait for the workers.
func (d *ring) board() {
	for !d.boarding.empty() {
		d.fly(d.boarding.pop())
	}
}

// fly hands the op to the workers, who are made when they are first needed.
func (d *ring) fly(o *op.Op) {
	if d.files == nil {
		d.files = offload.NewWorkers(filesMax, offload.Process, d.signal)
	}
	f := d.spare
	if f == nil {
		f = new(flight)
		f.User = f
		f.run = func() int32 { return block(f.o) }
	} else {
		d.spare = f.next
	}
	f.o, f.Call = o, f.run
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
	d.flying = append(d.flying, f)
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

// land completes the ops whose calls have returned.
func (d *ring) land(done *driver.Queue) {
	if len(d.flying) == 0 {
		return
	}
	for r := d.files.Next(); r != nil; r = d.files.Next() {
		o, res := d.ground(r.User.(*flight)), r.Res
		if res == -sys.EAGAIN { // there is nothing that one could wait for
			res = -sys.EPERM
		}
		d.complete(o, res, 0, done)
	}
	d.board() // what goes on after a short count
}

// recall takes back an op that no worker has begun; the others end as their calls
// do, because a call that runs writes to the memory that it was lent.
func (d *ring) recall(o *op.Op) {
	for _, f := range d.flying {
		if f.o != o {
			continue
		}
		if d.files.Cancel(&f.Request) {
			d.ground(f)
			d.inFlight--
			d.early = append(d.early, early{o, so(o, -sys.ECANCELED), true})
		}
		return
	}
}

// ground takes a flight off the list of those in the air and gives its op.
func (d *ring) ground(f *flight) *op.Op {
	for i := range d.flying {
		if d.flying[i] == f {
			last := len(d.flying) - 1
			d.flying[i], d.flying[last] = d.flying[last], nil
			d.flying = d.flying[:last]
			break
		}
	}
	o := f.o
	f.o, f.Buf = nil, nil
	f.next, d.spare = d.spare, f
	return o
}
