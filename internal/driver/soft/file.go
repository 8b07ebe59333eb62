package soft

import (
	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// job is an op in the offload. From offload to land the worker owns what the op
// names, whatever becomes of the driver.
type job struct {
	offload.Job
	d    *engine
	o    *op.Op
	res  int32
	prev *job
	next *job // of the flying, or of the spare
}

// offload gives the op to a worker.
func (d *engine) offload(o *op.Op) {
	o.Mode = op.ModeFile
	j := d.spare
	if j == nil {
		j = &job{d: d}
		j.Run = j.run
	} else {
		d.spare = j.next
	}
	j.o = o
	j.prev, j.next = nil, d.flying
	if d.flying != nil {
		d.flying.prev = j
	}
	d.flying = j
	d.files.Submit(&j.Job)
}

// run is on the worker's goroutine.
func (j *job) run() {
	j.res = block(j.o)
	j.d.landed.Push(j)
	j.d.signal()
}

// block runs an op to its end, however long that takes.
func block(o *op.Op) int32 {
	for {
		res := attempt(o)
		if res == -sys.EINTR {
			continue
		}
		if !full(o) {
			return noWait(res)
		}
		if res > 0 {
			o.Done += uint32(res)
			if int(o.Done) < len(o.Buf) {
				continue
			}
		}
		if o.Done > 0 {
			return int32(o.Done)
		}
		return noWait(res)
	}
}

// land completes the ops whose jobs are done. A descriptor that nobody wants any
// more is closed.
func (d *engine) land() {
	for batch := d.landed.Take(); ; {
		j, ok := batch.Next()
		if !ok {
			return
		}
		o, res := j.o, j.res
		d.grounded(j)
		if o.Canceled && res >= 0 && o.Def().FDResult {
			sys.Close(res)
			res = -sys.ECANCELED
		}
		d.end(o, res, 0)
	}
}

// recall takes back an op that no worker has begun.
func (d *engine) recall(o *op.Op) bool {
	j := d.flying
	for j.o != o {
		j = j.next
	}
	if !d.files.TryCancel(&j.Job) {
		return false
	}
	d.grounded(j)
	return true
}

// grounded moves a job from the flying to the spare.
func (d *engine) grounded(j *job) {
	if j.next != nil {
		j.next.prev = j.prev
	}
	if j.prev != nil {
		j.prev.next = j.next
	} else {
		d.flying = j.next
	}
	j.o, j.prev = nil, nil
	j.next, d.spare = d.spare, j
}
