package sim

import (
	"cmp"
	"slices"
	"time"

	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sys"
)

// Disk configures the delays and faults of a host's disk. The zero Disk takes no time and never fails. A crash keeps
// synced data; each sector of 512 bytes and each change of a name that was not synced may be lost or kept. Of a sector
// or a length that has changed several times since, an earlier version may be kept, so a log may end in the middle of a
// record. A truncation is kept as a whole, or undone with everything that was written behind its end.
//
// Calls make durable what they do on Linux, and no more: Sync of a file its data, mode, owner and attributes, Sync of
// a directory its names, Datasync no mode, owner or attributes, a write with O_DSYNC its pages, SyncRange nothing.
// After a failed Sync of a file a part of the data is on the disk, and the next one does not fail, but does not write
// the rest either. Names are not lost: the next Sync of their directory writes them. On Linux most file systems would
// be read-only by then, and it would fail, too.
//
// Reads are those of a File, by any call: Read and ReadAt, a sendfile to a connection, the reading half of CopyFile.
// Writes are those of a File, including copies from a connection or file. Syncs are Sync, Datasync, a SyncRange that
// waits, and each write to a file that is open with O_SYNC or O_DSYNC, which takes Latency and Sync. Opens, Stat,
// Chmod, Truncate, Allocate, attributes, lists and other calls on names take Latency, and have no faults. Names,
// directories and attributes take no room, so a full disk takes more of them; an Allocate for which it has too little
// changes nothing and fails. Space that Allocate has reserved counts as used, and is available for writes until it is
// punched out, truncated or removed. Seek, Conn.SendFile, locks, Advise and Close take no time.
//
// Statfs reports Capacity and how much of it is free. Space freed by a removal or truncation is free at once, even
// before a sync; but when it is needed the disk first writes all changes of names and all truncations, but no data, as
// a journaling file system does. So files never have more than Capacity together, not even after a crash.
type Disk struct {
	Latency   time.Duration // of a read, a write or a call on a name
	Sync      time.Duration // of a sync
	Jitter    time.Duration // random addition, up to this
	Capacity  int64         // bytes, beyond which the error is ENOSPC; 0: no limit
	Quota     int64         // bytes, beyond which the error is EDQUOT; 0: no limit
	FailRead  float64       // fraction of reads that fail with EIO
	FailWrite float64       // of writes
	FailSync  float64       // of syncs, which then write a part of the data
	Short     float64       // fraction of reads and writes that are short
	Decay     float64       // of reads that find a sector unreadable, from then on until it is overwritten
}

// diskTime returns how long the disk takes for an op.
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

// fails is called before each op of the host, and returns a negated errno if it fails.
func (h *Host) fails(o *op.Op) int32 {
	h.checks()
	f := &h.w.faults
	if len(h.midTurns) > 0 {
		m := slices.MaxFunc(h.midTurns, func(a, b *midTurn) int { return cmp.Compare(a.part, b.part) })
		if f.happens(FaultKill, h, m.part) {
			h.crashFor(m.back)
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

// part returns how much of n bytes a call does.
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

// decays decides whether a read finds a sector that has become unreadable.
func (h *Host) decays() bool { return h.w.faults.happens(FaultDecay, h, h.Disk.Decay) }

// lacks decides whether there is no memory for a descriptor.
func (h *Host) lacks() bool { return h.w.faults.happens(FaultShortage, h, h.Calls.Shortage) }

// Calls configures faults of a host's system calls.
type Calls struct {
	// ShortSend is the fraction of sends on streams that take less than there is room for.
	ShortSend float64
	// Shortage is the fraction of calls that make a descriptor (sockets, accepts, files) and fail for lack of memory:
	// ENOBUFS or ENOMEM.
	Shortage float64
}
