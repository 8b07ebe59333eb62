package memkernel

import (
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// What accesses of the disk that are no op of a file say to Host.Fail and Host.Disk: a sendfile, a splice, a write that
// syncs, and the calls of package kernel.
var (
	plainRead  = op.Op{Code: op.ReadAt}
	plainWrite = op.Op{Code: op.WriteAt}
	plainSync  = op.Op{Code: op.Sync}
	plainName  = op.Op{Code: op.Statx}
)

// Timed is Attempt, and says how long the disk is at it beyond what DiskTime says of the op, which is known before:
// whoever makes the call has it end so much later.
func (h *Host) Timed(o *op.Op) (res int32, takes time.Duration) {
	h.timing, h.takes = true, 0
	res = h.Attempt(o)
	h.timing = false
	return res, h.takes
}

// Call is Attempt, for who is no driver. What can't be done by what is in memory is not, where the op asks for that.
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

// Owed is how long the disk is at what Call has done since it was asked last.
func (h *Host) Owed() time.Duration {
	d := h.owed
	h.owed = 0
	return d
}

// takesTime notes an access of the disk in the midst of a call.
func (h *Host) takesTime(o *op.Op) {
	if h.timing && h.Disk != nil {
		h.takes += h.Disk(o)
	}
}

// looksUp notes a look at a name or a change of what is known of a file. What one call has come to is in memory then.
func (h *Host) looksUp() {
	if h.takes == 0 {
		h.takesTime(&plainName)
	}
}

// accesses notes an access, and asks whether it fails.
func (h *Host) accesses(o *op.Op) int32 {
	h.takesTime(o)
	return h.fails(o)
}

// DiskTime is how long the host's disk takes for an op.
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

// WaitsForDisk reports whether an op on what has readiness waits for a disk first: what it reads or writes is a file.
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

// syncs reports whether each write is to be on the disk when it returns: O_DSYNC, which O_SYNC has as well.
func (f *file) syncs() bool { return f.o.flags&sys.ODsync != 0 }

// syncWrite is the sync of a write to such a file.
func (f *file) syncWrite() int32 {
	if res := f.h.accesses(&plainSync); res != 0 {
		clear(f.platter.dirty)
		return res
	}
	f.sync()
	return 0
}
