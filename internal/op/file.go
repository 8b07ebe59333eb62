package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Ops on files, whose calls may wait for a disk. They know nothing of readiness, and
// leave no trace in a driver beyond their end, so their FD need not be one that a loop
// keeps: it may stand for a number for the time of one op.

// ReadAt and WriteAt move Buf from or to FD at Off; a negative Off means the file's
// position. The count may come short. WriteAt may be Full.
func attemptReadAt(o *Op) int32 { return sys.ReadAt(o.FD.Sys(), o.Buf, o.Off) }

func cachedReadAt(o *Op) int32 { return sys.ReadAtNow(o.FD.Sys(), o.Buf, o.Off) }

// An entry that writes at the position, or appends, is for a thread of the kernel's at
// once. Tried without waiting it may do a part, and somebody else's bytes come between
// that and the rest.
func prepWriteAt(o *Op, e *uring.SQE) {
	prepWrite(o, e)
	if o.Off < 0 {
		e.Flags |= uring.SQEAsync
	}
}

func prepWritevAt(o *Op, e *uring.SQE) {
	prepWritev(o, e)
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
}

func prepWriteVec(o *Op, e *uring.SQE) {
	e.PrepWritev(int(o.FD.Sys()), o.Ext.vec(), len(o.Ext.Vec), o.Off)
}

func attemptReadVec(o *Op) int32 { return sys.ReadvAt(o.FD.Sys(), o.Ext.Vec, o.Off) }

func cachedReadVec(o *Op) int32 { return sys.ReadvAtNow(o.FD.Sys(), o.Ext.Vec, o.Off) }

func attemptWriteVec(o *Op) int32 { return sys.WritevAt(o.FD.Sys(), o.Ext.Vec, o.Off) }

func cachedWriteVec(o *Op) int32 { return sys.WritevAtNow(o.FD.Sys(), o.Ext.Vec, o.Off) }

// Sync is fsync(2); with Arg DataOnly fdatasync(2).
func prepSync(o *Op, e *uring.SQE) { e.PrepFsync(int(o.FD.Sys()), o.Arg == DataOnly) }

func attemptSync(o *Op) int32 { return sys.Fsync(o.FD.Sys(), o.Arg == DataOnly) }

// DataOnly in a Sync's Arg leaves out what is not needed to read the data again.
const DataOnly = 1

// SyncRange is sync_file_range(2) of Ext.Len bytes from Off on; Arg is its flags.
func attemptSyncRange(o *Op) int32 {
	return sys.SyncFileRange(o.FD.Sys(), o.Off, o.Ext.Len, int(o.Arg))
}

// Allocate is fallocate(2) of Ext.Len bytes from Off on; Arg is its mode.
func prepAllocate(o *Op, e *uring.SQE) {
	e.PrepFallocate(int(o.FD.Sys()), o.Arg, o.Off, o.Ext.Len)
}

func attemptAllocate(o *Op) int32 { return sys.Fallocate(o.FD.Sys(), o.Arg, o.Off, o.Ext.Len) }

// Advise is posix_fadvise(2) about Ext.Len bytes from Off on; Arg is the advice.
func attemptAdvise(o *Op) int32 { return sys.Fadvise(o.FD.Sys(), o.Off, o.Ext.Len, int(o.Arg)) }

// Ftruncate makes the file Off bytes long.
func prepFtruncate(o *Op, e *uring.SQE) { e.PrepFtruncate(int(o.FD.Sys()), o.Off) }

func attemptFtruncate(o *Op) int32 { return sys.Ftruncate(o.FD.Sys(), o.Off) }

// Stat puts what statx(2) says of FD into Ext.Stat. With Arg AsKnown nobody else is asked,
// as a server would be, and the mount has the number that no other will have, where
// there is such a number (Linux 6.8).
func attemptStat(o *Op) int32 {
	if o.Arg == AsKnown {
		return sys.Fstatx(o.FD.Sys(), sys.AtStatxDontSync, sys.StatxMount, o.Ext.Stat)
	}
	return sys.Fstatx(o.FD.Sys(), 0, sys.StatxMntID, o.Ext.Stat)
}

// AsKnown in a Stat's Arg is for what can't be old, or may be.
const AsKnown = 1

// What a kernel knows of a file on a disk of its own is up to date; what it knows of
// others may be old, and asking would wait for a server.
func cachedStat(o *Op) int32 {
	if o.Arg == AsKnown {
		return attemptStat(o)
	}
	res := sys.Fstatx(o.FD.Sys(), sys.AtStatxDontSync, sys.StatxMntID, o.Ext.Stat)
	if res == 0 && o.Ext.Stat.DevMajor == 0 {
		return -sys.EAGAIN
	}
	return res
}

// StatFS leaves in Off the number that statfs(2) has for FD's sort of file system.
func attemptStatFS(o *Op) (res int32) {
	o.Off, res = sys.Fstatfs(o.FD.Sys())
	return res
}

// Chmod sets the mode to Arg, Chown the owner to Arg and the group to Arg2, where all
// ones leave them.
func attemptChmod(o *Op) int32 { return sys.Fchmod(o.FD.Sys(), o.Arg) }

func attemptChown(o *Op) int32 { return sys.Fchown(o.FD.Sys(), int32(o.Arg), int32(o.Arg2)) }

// Chtimes sets the times of the last access to Off and of the last change to Ext.Len,
// in nanoseconds since 1970. Arg has bits for those that are left as they are.
func attemptChtimes(o *Op) int32 {
	return sys.Futimens(o.FD.Sys(), o.Off, o.Ext.Len, o.Arg&OmitAccess != 0, o.Arg&OmitChange != 0)
}

// Bits in a Chtimes' Arg.
const (
	OmitAccess = 1 << iota
	OmitChange
)

// GetAttr puts the extended attribute Ext.Attr into Buf, SetAttr sets it to Buf with the
// flags Arg, RemoveAttr removes it, and ListAttrs puts the names of all into Buf, each
// with a NUL behind it. With an empty Buf a result is the length that there is.
func attemptGetAttr(o *Op) int32 { return sys.Fgetxattr(o.FD.Sys(), o.Ext.Attr, o.Buf) }

func attemptSetAttr(o *Op) int32 {
	return sys.Fsetxattr(o.FD.Sys(), o.Ext.Attr, o.Buf, int(o.Arg))
}

func attemptListAttrs(o *Op) int32 { return sys.Flistxattr(o.FD.Sys(), o.Buf) }

func attemptRemoveAttr(o *Op) int32 { return sys.Fremovexattr(o.FD.Sys(), o.Ext.Attr) }

// Lock sets or removes a lock of the open file on Ext.Len bytes from Off on, 0 for all
// to the end; Arg is F_RDLCK, F_WRLCK or F_UNLCK. It does not wait for who holds one:
// that is -EACCES, because -EAGAIN would be a reason to.
func attemptLock(o *Op) int32 {
	res := sys.OFDLock(o.FD.Sys(), int16(o.Arg), o.Off, o.Ext.Len)
	if res == -sys.EAGAIN {
		return -sys.EACCES
	}
	return res
}

// Open is openat(2) of the name in Buf, which ends with a NUL, from the directory FD on,
// or from the working directory without one. Arg is the flags, to which CLOEXEC and
// LARGEFILE are added, Arg2 the mode of a file that it makes. The result is the new
// descriptor, in the mode that the flags say.
//
// With Off UnlessFIFO nothing is done to a FIFO, whose open may wait for its other end:
// the result is -EINPROGRESS.
func attemptOpen(o *Op) int32 {
	if o.Off == UnlessFIFO && sys.IsFIFO(dirOf(o), o.Buf) {
		return -sys.EINPROGRESS
	}
	return sys.Openat(dirOf(o), o.Buf, int(o.Arg), o.Arg2)
}

// UnlessFIFO in an Open's Off.
const UnlessFIFO = 1

// dirOf is the number of the directory that names start from.
func dirOf(o *Op) int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.FD.Sys()
}

// CloseFile closes the number Off, which nothing uses any more. It is a row of its own
// because the close of a file may wait, which that of a socket does not: what was
// written goes out, and the blocks of a file without a name are freed.
func attemptCloseFile(o *Op) int32 { return sys.CloseFile(int32(o.Off)) }
