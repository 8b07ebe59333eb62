//go:build linux

package sim

import (
	"cmp"
	"slices"
	"time"

	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sys"
)

// Disk is what a host's disk does beside what it should. The zero Disk takes no time and never fails, and a crash keeps
// of it what was synced: each sector of 512 bytes that was not is there or not, each change of a name is.
//
// A read of the disk is one of a File, by whatever call: Read and ReadAt, a sendfile to a connection, the half of
// CopyFile that reads. A write is one of a File, or what comes from a connection or a copy. A sync is one of Sync,
// Datasync, SyncRange that waits, and of each write to a file that is open with O_SYNC or O_DSYNC, which takes Latency
// and Sync. Opens, Stat, Chmod, Truncate, Allocate, attributes, lists and all else about names take Latency, and fail
// for want of room alone. What Allocate was given is used, and is there for writes until it is punched out, cut off or
// removed; on a disk without room for all of it nothing changes. Seek, Conn.SendFile, locks, Advise and Close take no
// time.
//
// Statfs tells Capacity and what is left of it. What a removal, or a cut, has given back has room for others at once,
// also before a sync; but where that room is needed the disk first writes all changes of names, and the files that were
// cut, as one with a journal does. So files never have more than Capacity together, after a crash either.
type Disk struct {
	Latency   time.Duration // of a read, a write or a call about a name
	Sync      time.Duration // of a sync
	Jitter    time.Duration // more than that, up to this, by chance
	Capacity  int64         // bytes: beyond it is ENOSPC; 0: any number
	Quota     int64         // bytes: beyond it is EDQUOT; 0: any number
	FailRead  float64       // the part of reads that ends with EIO
	FailWrite float64       // of writes
	FailSync  float64       // of syncs, after which what was to be written is not, and the next one does not say so
	Short     float64       // the part of reads and writes that ends in the middle
	Decay     float64       // of reads, where a sector has become unreadable, which it stays until it is overwritten
}

// diskTime is how long the disk takes for an op.
func (h *Host) diskTime(o *op.Op) time.Duration {
	h.checks()
	d := h.Disk.Latency
	if o.Code == op.Sync {
		d = h.Disk.Sync
	}
	if h.Disk.Jitter > 0 {
		d = sum(d, time.Duration(h.w.w.Rand().Uint64N(uint64(h.Disk.Jitter)+1)))
	}
	return d
}

// fails is asked before each op of the host: a negated errno if it fails.
func (h *Host) fails(o *op.Op) int32 {
	h.checks()
	f := &h.w.faults
	if len(h.midTurns) > 0 {
		m := slices.MaxFunc(h.midTurns, func(a, b *midTurn) int { return cmp.Compare(a.part, b.part) })
		if f.happens(FaultKill, h, m.part) {
			h.Crash()
			h.w.after(m.back, h.Restart)
			return -sys.EIO
		}
	}
	if o.FD != nil && !h.k.IsFile(o.FD.Sys()) {
		return 0
	}
	switch o.Code {
	case op.Read, op.ReadAt, op.ReadVec:
		if f.happens(FaultRead, h, h.Disk.FailRead) {
			return -sys.EIO
		}
	case op.Write, op.WriteAt, op.WriteVec:
		if f.happens(FaultWrite, h, h.Disk.FailWrite) {
			return -sys.EIO
		}
	case op.Sync:
		if f.happens(FaultSync, h, h.Disk.FailSync) {
			return -sys.EIO
		}
	}
	return 0
}

// part is how much of n bytes a call gets done.
func (h *Host) part(what memkernel.Part, n int) int {
	kind, p := FaultShort, h.Disk.Short
	if what == memkernel.StreamSend {
		kind, p = FaultShortSend, h.Calls.ShortSend
	}
	if !h.w.faults.happens(kind, h, p) {
		return n
	}
	return 1 + h.w.w.Rand().IntN(n-1)
}

// decays reports whether a read finds a sector that has become unreadable.
func (h *Host) decays() bool { return h.w.faults.happens(FaultDecay, h, h.Disk.Decay) }

// lacks reports whether there is no memory for a descriptor.
func (h *Host) lacks() bool { return h.w.faults.happens(FaultShortage, h, h.Calls.Shortage) }

// Calls is what a host's kernel does to calls beside what is asked of it.
type Calls struct {
	// ShortSend is the part of sends on streams that take less than there is room for.
	ShortSend float64
	// Shortage is the part of the calls that make a descriptor, sockets, accepts and files, that find no memory:
	// ENOBUFS or ENOMEM.
	Shortage float64
}
