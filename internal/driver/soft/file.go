package soft

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

const (
	// filesMax bounds the calls of one driver that may block at once; the workers
	// of all drivers share offload.Process.
	filesMax = 16
	// directMax bounds the reads and writes that the kernel has at once, past the
	// page cache. Each driver that does such counts so many of fs.aio-max-nr.
	directMax = 128
)

// files is the driver's part of what may block: two engines, and the ops there.
type files struct {
	workers *offload.Workers
	// aio is opened for the first op on a file that is open with O_DIRECT. If it
	// can't be had, aioErr says why, and such ops are the workers' as all others.
	aio    *offload.AIO
	aioErr error
	busy   *job // linked by next
	spare  *job // to use again
}

// open makes the engines, but for aio. without names features to do without: "aio".
func (f *files) open(without []string, signal func()) {
	f.workers = offload.NewWorkers(filesMax, offload.Process, signal)
	if slices.Contains(without, "aio") {
		f.aioErr = errors.New("native AIO is switched off")
	}
}

// native gives the engine for files past the page cache, or nil. Its completions
// signal the eventfd that wakes the driver anyway.
func (f *files) native(eventFD int32) *offload.AIO {
	if f.aio == nil && f.aioErr == nil {
		f.aio, f.aioErr = offload.OpenAIO(directMax, eventFD)
	}
	return f.aio
}

// features adds what is in use here to what the poller uses.
func (f *files) features(list []string) []string {
	if f.aio == nil {
		return list
	}
	return append(slices.Clip(list), "aio")
}

// close ends the engines. What is still under way is left to its worker or to the kernel,
// with its memory.
func (f *files) close(within time.Duration) {
	if f.busy == nil {
		f.workers.Close(within) // the last worker may be about to signal
	}
	if f.aio != nil {
		f.aio.Close(0)
	}
}

// job is an op in the offload. From offload to completeJobs the engine owns what the op
// names, whatever becomes of the driver.
type job struct {
	offload.Request
	o      *op.Op
	direct bool // with the kernel, not with a worker
	prev   *job
	next   *job // of those under way, or of the spare
	run    func() int32
}

// job makes one for the op and puts it among those that are under way.
func (f *files) job(o *op.Op) *job {
	j := f.spare
	if j == nil {
		j = new(job)
		j.User = j
		j.run = func() int32 { return block(j.o) }
	} else {
		f.spare = j.next
	}
	j.o = o
	j.prev, j.next = nil, f.busy
	if f.busy != nil {
		f.busy.prev = j
	}
	f.busy = j
	return j
}

// unlink takes a job out of the list of those that are under way.
func (f *files) unlink(j *job) {
	if j.next != nil {
		j.next.prev = j.prev
	}
	if j.prev != nil {
		j.prev.next = j.next
	} else {
		f.busy = j.next
	}
	j.o, j.prev, j.next = nil, nil, nil
}

// reuse makes a job that is nobody's a spare one.
func (f *files) reuse(j *job) {
	j.Buf, j.Vec = nil, nil
	j.next, f.spare = f.spare, j
}

// offload gives the op to the kernel, or to a worker.
func (d *engine) offload(o *op.Op) {
	o.Mode = op.ModeFile
	j := d.files.job(o)
	if !d.submitDirect(j) {
		d.submitWorker(j)
	}
}

// submitDirect reports whether the kernel gets the op: a sync, or a read or write at an offset of a file that is open
// with O_DIRECT. flush hands it over.
func (d *engine) submitDirect(j *job) bool {
	o := j.o
	if !native(o) {
		return false
	}
	a := d.files.native(d.waker.In)
	if a == nil {
		d.stats.Fallbacks++
		return false
	}
	j.FD, j.Call, j.Buf, j.Vec, j.Off = o.FD.Sys(), nil, nil, nil, 0
	switch o.Code {
	case op.Sync:
		j.Kind = offload.Sync
		if o.CallFlags == op.DataOnly {
			j.Kind = offload.SyncData
		}
	case op.ReadVec, op.WriteVec:
		j.Kind, j.Vec, j.Off = offload.Read, o.Ext.Vec, o.Off
	default:
		j.Kind, j.Buf, j.Off = offload.Read, o.Buf[o.Done:], o.Rest()
	}
	if writes(o.Code) {
		j.Kind = offload.Write
		if race.Enabled {
			o.EachRead(race.ReadRange)
			race.WriteLike()
		}
	}
	if a.Submit(&j.Request) != 0 {
		d.stats.Fallbacks++
		return false
	}
	j.direct = true
	return true
}

// native reports whether an op is for native AIO.
func native(o *op.Op) bool {
	switch {
	case o.Flags&op.Offload != 0:
		return false
	case o.Code == op.Sync:
		return true
	case o.Code == op.ReadVec, o.Code == op.WriteVec:
		if o.Flags&op.Full != 0 || len(o.Ext.Vec) == 0 {
			return false
		}
	case !reads(o.Code) && !writes(o.Code):
		return false
	}
	return o.Off >= 0 && sys.IsDirect(o.FD.Sys())
}

// reads reports whether an op is a transfer from a file, and writes whether it is one to it.
func reads(c op.Code) bool  { return c == op.Read || c == op.ReadAt || c == op.ReadVec }
func writes(c op.Code) bool { return c == op.Write || c == op.WriteAt || c == op.WriteVec }

// flush hands the turn's requests to the kernel, by one call.
func (f *files) flush() {
	if f.aio != nil {
		f.aio.Flush()
	}
}

func (d *engine) submitWorker(j *job) {
	j.Kind, j.Buf, j.Vec, j.Call, j.direct = offload.Call, nil, nil, j.run, false
	if res := d.files.workers.Submit(&j.Request); res < 0 {
		panic(fmt.Sprintf("driver/soft: %s refused by the workers of an open driver (%d)", j.o.Def().Name, res))
	}
}

// block runs an op to its end, however long that takes.
func block(o *op.Op) int32 {
	for {
		res := attempt(o)
		if res == -sys.EINTR {
			continue
		}
		if o.Flags&op.Full == 0 {
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

// completeJobs completes the ops that have ended.
func (d *engine) completeJobs() {
	if d.files.busy == nil {
		return
	}
	for r := d.files.workers.Next(); r != nil; r = d.files.workers.Next() {
		d.completeJob(r.User.(*job), r.Res)
	}
	if d.files.aio == nil {
		return
	}
	for r := d.files.aio.Next(); r != nil; r = d.files.aio.Next() {
		d.completeDirect(r.User.(*job))
	}
}

// completeJob completes the op of a job. A descriptor that nobody wants any more is
// closed.
func (d *engine) completeJob(j *job, res int32) {
	o := j.o
	d.files.unlink(j)
	d.files.reuse(j)
	if o.Canceled && res >= 0 && o.Def().FDResult && o.Flags&op.Keep == 0 {
		sys.Close(res)
		res = -sys.ECANCELED
	}
	d.end(o, res, 0)
}

// completeDirect completes the op of a job that the kernel had, or goes on with it:
// what would have had to wait, or is not aligned, a plain call does or refuses. A read
// that came short may have found only its first part in memory, as btrfs does with what is
// not aligned (Linux 6.18): a plain call knows whether that was the file's end.
func (d *engine) completeDirect(j *job) {
	o, res := j.o, j.Res
	switch {
	case offload.Refused(res), reads(o.Code) && res > 0 && int(res) < o.Size()-int(o.Done) && !o.Canceled:
		d.stats.Fallbacks++
		if o.Canceled {
			d.completeJob(j, o.Failed(-sys.ECANCELED))
			return
		}
		d.submitWorker(j)
		return
	case race.Enabled && reads(o.Code) && res > 0:
		race.ReadLike()
		o.EachWritten(res, race.WriteRange)
	case o.Flags&op.Full != 0:
		if res > 0 {
			o.Done += uint32(res)
			if int(o.Done) < len(o.Buf) && !o.Canceled {
				if !d.submitDirect(j) {
					d.submitWorker(j)
				}
				return
			}
		}
		if o.Done > 0 {
			res = int32(o.Done)
		}
	}
	d.completeJob(j, res)
}

// cancelJob takes back an op that has not begun.
func (d *engine) cancelJob(o *op.Op) bool {
	j := d.files.busy
	for j.o != o {
		j = j.next
	}
	var at offload.Engine = d.files.workers
	if j.direct {
		at = d.files.aio
	}
	if !at.Cancel(&j.Request) {
		return false
	}
	d.files.unlink(j)
	d.files.reuse(j)
	return true
}
