package soft

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ringo/internal/driver"
	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

const (
	// filesMax bounds how many calls that may block one driver runs at once. The workers of all drivers share the
	// budget offload.Process.
	filesMax = 16
	// directMax bounds how many requests one driver has with the kernel's AIO at once. A driver that uses AIO takes
	// as many of fs.aio-max-nr.
	directMax = 128
)

// files is the driver's part for calls that may block: two offload engines, and the jobs that they have.
type files struct {
	workers *offload.Workers
	// aio is opened for the first sync, or the first read or write of a file that is open with O_DIRECT. If it can't
	// be opened, aioErr says why, and the workers run these ops, too.
	aio    *offload.AIO
	aioErr error
	// jobs are the ops in both engines. From offload to completeJob the memory that an op names belongs to its engine,
	// even if the driver dies or is closed meanwhile.
	jobs driver.Jobs
}

// open makes the workers. aio is opened when it is first needed, unless without names "aio".
func (f *files) open(without []string, signal func()) {
	f.workers = offload.NewWorkers(filesMax, offload.Process, signal)
	f.jobs.Block = block
	if slices.Contains(without, "aio") {
		f.aioErr = errors.New("native AIO is switched off")
	}
}

// native returns the AIO engine, opening it at the first call; nil if this system has none. Its completions signal
// eventFD, which is the descriptor of the driver's waker.
func (f *files) native(eventFD int32) *offload.AIO {
	if f.aio == nil && f.aioErr == nil {
		f.aio, f.aioErr = offload.OpenAIO(directMax, eventFD)
	}
	return f.aio
}

// features adds "aio" to the poller's features, once AIO is in use.
func (f *files) features(list []string) []string {
	if f.aio == nil {
		return list
	}
	return append(slices.Clip(list), "aio")
}

// close ends the engines. A call that is still under way stays with its worker or the kernel, and so does its memory.
func (f *files) close(within time.Duration) {
	if f.jobs.Len() == 0 {
		f.workers.Close(within) // the last worker may be about to signal
	}
	if f.aio != nil {
		f.aio.Close(0)
	}
}

// offload gives the op to the kernel's AIO if that can run it, otherwise to a worker.
func (d *engine) offload(o *op.Op) {
	o.Mode = op.ModeFile
	j := d.files.jobs.Add(o)
	if !d.submitDirect(j) {
		d.submitWorker(j)
	}
}

// submitDirect gives the job's op to the AIO engine and reports whether that has taken it. AIO takes syncs, and reads
// and writes at an offset of a file that is open with O_DIRECT. flush hands them to the kernel.
func (d *engine) submitDirect(j *driver.Job) bool {
	o := j.Op
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
	j.Direct = true
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

// reads reports whether an op reads a file, and writes whether it writes one.
func reads(c op.Code) bool  { return c == op.Read || c == op.ReadAt || c == op.ReadVec }
func writes(c op.Code) bool { return c == op.Write || c == op.WriteAt || c == op.WriteVec }

// flush hands the AIO requests that are new to the kernel, by one call.
func (f *files) flush() {
	if f.aio != nil {
		f.aio.Flush()
	}
}

// submitWorker gives the job's op to the workers, which run it by block.
func (d *engine) submitWorker(j *driver.Job) {
	j.Kind, j.Buf, j.Vec, j.Call, j.Direct = offload.Call, nil, nil, j.Run, false
	if res := d.files.workers.Submit(&j.Request); res < 0 {
		panic(fmt.Sprintf("driver/soft: %s refused by the workers of an open driver (%d)", j.Op.Def().Name, res))
	}
}

// block runs an op to its end on a worker's thread, however long that takes.
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

// completeJobs completes the ops whose jobs have ended.
func (d *engine) completeJobs() {
	if d.files.jobs.Len() == 0 {
		return
	}
	for r := d.files.workers.Next(); r != nil; r = d.files.workers.Next() {
		d.completeJob(r.User.(*driver.Job), r.Res)
	}
	if d.files.aio == nil {
		return
	}
	for r := d.files.aio.Next(); r != nil; r = d.files.aio.Next() {
		d.completeDirect(r.User.(*driver.Job))
	}
}

// completeJob completes the op of a job. If the op was cancelled and its result is a new descriptor, completeJob closes
// that, unless the op is op.Keep.
func (d *engine) completeJob(j *driver.Job, res int32) {
	o := d.files.jobs.Remove(j)
	if o.Canceled && res >= 0 && o.Def().FDResult && o.Flags&op.Keep == 0 {
		sys.Close(res)
		res = -sys.ECANCELED
	}
	d.end(o, res, 0)
}

// completeDirect completes the op of a job that the kernel's AIO has ended, or continues with it. If the kernel has not
// done the request, because it would have had to wait or is not aligned, a worker makes a plain call, which does it or
// returns the error. A worker also repeats a read that came short: the kernel may have found only the first part in
// memory, as btrfs does with reads that are not aligned (Linux 6.18), and a plain call finds out whether that was the
// file's end.
func (d *engine) completeDirect(j *driver.Job) {
	o, res := j.Op, j.Res
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

// cancelJob takes an op back from its engine. It returns false if the engine has begun it; the op then completes when
// the call ends.
func (d *engine) cancelJob(o *op.Op) bool {
	j := d.files.jobs.Of(o)
	var at offload.Engine = d.files.workers
	if j.Direct {
		at = d.files.aio
	}
	if !at.Cancel(&j.Request) {
		return false
	}
	d.files.jobs.Remove(j)
	return true
}
