package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Ops on files, whose calls may wait for a disk. They don't use readiness, and a driver keeps nothing of them after
// their end. So their FD need not be one that a loop keeps: it may exist for one op only.

// ReadAt and WriteAt move Buf from or to FD at Off; a negative Off means the file's position. The count may be short.
// WriteAt may be Full. CallFlags are the I/O priority, which only a ring can set for an op: elsewhere it belongs to a
// thread.
func prepReadAt(o *Op, e *uring.SQE) {
	prepRead(o, e)
	e.IOPrio = uint16(o.CallFlags)
}

func attemptReadAt(o *Op) int32 { return sys.ReadAt(o.FD.Sys(), o.Buf, o.Off) }

func cachedReadAt(o *Op) int32 { return sys.ReadAtNow(o.FD.Sys(), o.Buf, o.Off) }

// The kernel gives an entry that writes at the position, or appends, to one of its threads at once. A first try
// without waiting might write a part, and the bytes of another writer might come between that and the rest.
func prepWriteAt(o *Op, e *uring.SQE) {
	prepWrite(o, e)
	e.IOPrio = uint16(o.CallFlags)
	if o.Off < 0 {
		e.Flags |= uring.SQEAsync
	}
}

func attemptWriteAt(o *Op) int32 { return sys.WriteAt(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

func cachedWriteAt(o *Op) int32 { return sys.WriteAtNow(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

// ReadVec and WriteVec are ReadAt and WriteAt for the slices of Ext.Vec, which SetVec has set.
func prepReadVec(o *Op, e *uring.SQE) {
	e.PrepReadv(int(o.FD.Sys()), o.Ext.vec(), len(o.Ext.Vec), o.Off)
	e.IOPrio = uint16(o.CallFlags)
}

func prepWriteVec(o *Op, e *uring.SQE) {
	e.PrepWritev(int(o.FD.Sys()), o.Ext.vec(), len(o.Ext.Vec), o.Off)
	e.IOPrio = uint16(o.CallFlags)
}

func attemptReadVec(o *Op) int32 { return sys.ReadvAt(o.FD.Sys(), o.Ext.Vec, o.Off) }

func cachedReadVec(o *Op) int32 { return sys.ReadvAtNow(o.FD.Sys(), o.Ext.Vec, o.Off) }

func attemptWriteVec(o *Op) int32 { return sys.WritevAt(o.FD.Sys(), o.Ext.Vec, o.Off) }

func cachedWriteVec(o *Op) int32 { return sys.WritevAtNow(o.FD.Sys(), o.Ext.Vec, o.Off) }

// Sync is fsync(2), or fdatasync(2) if CallFlags is DataOnly.
func prepSync(o *Op, e *uring.SQE) { e.PrepFsync(int(o.FD.Sys()), o.CallFlags == DataOnly) }

func attemptSync(o *Op) int32 { return sys.Fsync(o.FD.Sys(), o.CallFlags == DataOnly) }

// DataOnly as a Sync's CallFlags leaves out metadata that is not needed to read the data again.
const DataOnly = 1

// Allocate is fallocate(2) of Ext.Len bytes from Off on; CallFlags are its mode.
func prepAllocate(o *Op, e *uring.SQE) {
	e.PrepFallocate(int(o.FD.Sys()), o.CallFlags, o.Off, o.Ext.Len)
}

func attemptAllocate(o *Op) int32 { return sys.Fallocate(o.FD.Sys(), o.CallFlags, o.Off, o.Ext.Len) }

// Ftruncate makes the file Off bytes long.
func prepFtruncate(o *Op, e *uring.SQE) { e.PrepFtruncate(int(o.FD.Sys()), o.Off) }

func attemptFtruncate(o *Op) int32 { return sys.Ftruncate(o.FD.Sys(), o.Off) }
