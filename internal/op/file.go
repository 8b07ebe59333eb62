package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Ops on files, whose calls may wait for a disk. They know nothing of readiness, and
// leave no trace in a driver beyond their end, so their FD need not be one that a loop
// keeps: it may stand for a number for the time of one op.

// ReadAt and WriteAt move Buf from or to FD at Off; a negative Off means the file's
// position. The count may come short. WriteAt may be Full. CallFlags are the priority,
// which goes by a ring alone: elsewhere it is a thread's.
func prepReadAt(o *Op, e *uring.SQE) {
	prepRead(o, e)
	e.IOPrio = uint16(o.CallFlags)
}

func attemptReadAt(o *Op) int32 { return sys.ReadAt(o.FD.Sys(), o.Buf, o.Off) }

func cachedReadAt(o *Op) int32 { return sys.ReadAtNow(o.FD.Sys(), o.Buf, o.Off) }

// An entry that writes at the position, or appends, is for a thread of the kernel's at
// once. Tried without waiting it may do a part, and somebody else's bytes come between
// that and the rest.
func prepWriteAt(o *Op, e *uring.SQE) {
	prepWrite(o, e)
	e.IOPrio = uint16(o.CallFlags)
	if o.Off < 0 {
		e.Flags |= uring.SQEAsync
	}
}

func attemptWriteAt(o *Op) int32 { return sys.WriteAt(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

func cachedWriteAt(o *Op) int32 { return sys.WriteAtNow(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

// ReadVec and WriteVec move the slices of Ext.Vec, which SetVec has made, as ReadAt and
// WriteAt do one.
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

// Sync is fsync(2); with CallFlags DataOnly fdatasync(2).
func prepSync(o *Op, e *uring.SQE) { e.PrepFsync(int(o.FD.Sys()), o.CallFlags == DataOnly) }

func attemptSync(o *Op) int32 { return sys.Fsync(o.FD.Sys(), o.CallFlags == DataOnly) }

// DataOnly in a Sync's CallFlags leaves out what is not needed to read the data again.
const DataOnly = 1

// Allocate is fallocate(2) of Ext.Len bytes from Off on; CallFlags are its mode.
func prepAllocate(o *Op, e *uring.SQE) {
	e.PrepFallocate(int(o.FD.Sys()), o.CallFlags, o.Off, o.Ext.Len)
}

func attemptAllocate(o *Op) int32 { return sys.Fallocate(o.FD.Sys(), o.CallFlags, o.Off, o.Ext.Len) }

// Ftruncate makes the file Off bytes long.
func prepFtruncate(o *Op, e *uring.SQE) { e.PrepFtruncate(int(o.FD.Sys()), o.Off) }

func attemptFtruncate(o *Op) int32 { return sys.Ftruncate(o.FD.Sys(), o.Off) }
