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
	next *flight // of the spare ones
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
	} else {
		d.spare = f.next
	}
	f.Kind, f.FD, f.Buf, f.Off, f.o = offload.Read, o.FD.Sys(), o.Buf[o.Done:], o.Rest(), o
	if o.Code == op.Write {
		f.Kind = offload.Write
	}
	o.State = op.InFlight
	d.inFlight++
	d.stats.Submitted++
	d.flying = append(d.flying, f)
	if d.files.Submit(&f.Request) < 0 {
		panic("driver/uring: the workers are closed and the driver is not")
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
