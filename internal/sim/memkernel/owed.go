package memkernel

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// What Host.Fail and Host.Disk are passed for accesses of the disk that are not an op on a file: a sendfile, a splice,
// a write that syncs, and the calls of package kernel.
var (
	plainRead  = op.Op{Code: op.ReadAt}
	plainWrite = op.Op{Code: op.WriteAt}
	plainSync  = op.Op{Code: op.Sync}
	plainName  = op.Op{Code: op.Statx}
)

// Timed is Attempt. It also returns how long the disk takes beyond DiskTime of the op, which is known before: the
// caller must end the op so much later.
func (h *Host) Timed(o *op.Op) (res int32, takes time.Duration) {
	h.timing, h.takes = true, 0
	res = h.Attempt(o)
	h.timing = false
	return res, h.takes
}

// Call is Attempt for callers other than a driver. If the op asks not to wait, it does only what is possible in
// memory.
func (h *Host) Call(o *op.Op) int32 {
	disk := o.FD != nil && h.IsFile(o.FD.Sys())
	if disk && o.Mode == op.ModeNow && h.Disk != nil {
		return -sys.EAGAIN
	}
	res, takes := h.Timed(o)
	if h.owed += takes; disk {
		h.owed += h.DiskTime(o)
	}
	return res
}

// Owed returns how long the disk takes for everything that Call has done since the last Owed.
func (h *Host) Owed() time.Duration {
	d := h.owed
	h.owed = 0
	return d
}

// takesTime counts an access of the disk in the middle of a call.
func (h *Host) takesTime(o *op.Op) {
	if h.timing && h.Disk != nil {
		h.takes += h.Disk(o)
	}
}

// looksUp counts a look-up of a name or a change of metadata. One call counts it once: after that, the data is in
// memory.
func (h *Host) looksUp() {
	if h.takes == 0 {
		h.takesTime(&plainName)
	}
}

// accesses counts an access, and returns its error if it fails.
func (h *Host) accesses(o *op.Op) int32 {
	h.takesTime(o)
	return h.fails(o)
}

// DiskTime returns how long the host's disk takes for an op.
func (h *Host) DiskTime(o *op.Op) time.Duration {
	switch {
	case h.Disk == nil || o.Code == op.Call:
		return 0
	case o.Code == op.Sendfile, o.Code == op.SpliceIn:
		return h.Disk(&plainRead)
	}
	d := h.Disk(o)
	switch o.Code {
	case op.Write, op.WriteAt, op.WriteVec, op.SpliceOut:
		if f, res := h.fileAt(o.FD.Sys()); res == 0 && f.syncs() {
			d += h.Disk(&plainSync)
		}
	}
	return d
}

// WaitsForDisk reports whether an op on a descriptor with readiness waits for a disk first, because it reads or writes
// a file.
func (h *Host) WaitsForDisk(o *op.Op) bool {
	switch o.Code {
	case op.Read, op.Write:
		return h.IsFile(o.FD.Sys())
	case op.SpliceIn, op.SpliceOut:
		return h.Disk != nil && h.IsFile(o.FD.Sys())
	case op.Sendfile:
		return h.Disk != nil && h.IsFile(o.Other)
	}
	return false
}

// syncs reports whether each write must be on the disk when it returns: O_DSYNC, which O_SYNC includes.
func (f *file) syncs() bool { return f.o.flags&sys.ODsync != 0 }

// syncWrite does the sync of a write to such a file. O_SYNC, which asks for more, writes what an fsync writes of facts.
func (f *file) syncWrite(from, to int64) int32 {
	from, to = from/pageSize, (to+pageSize-1)/pageSize
	if res := f.h.accesses(&plainSync); res != 0 {
		f.failSync(from, to)
		return res
	}
	f.syncPages(from, to)
	if f.o.flags&sys.OSync == sys.OSync {
		f.platter.facts = f.facts()
	}
	return 0
}
