package op

import "ringo/internal/sys"

// Ops on files, whose calls may wait for a disk. They know nothing of readiness, and
// leave no trace in a driver beyond their end, so their FD need not be one that a loop
// keeps: it may stand for a number for the time of one op.

// ReadAt and WriteAt move Buf from or to FD at Off; a negative Off means the file's
// position. The count may come short. WriteAt may be Full.
func attemptReadAt(o *Op) int32 { return sys.ReadAt(o.FD.Sys(), o.Buf, o.Off) }

func cachedReadAt(o *Op) int32 { return sys.ReadAtNow(o.FD.Sys(), o.Buf, o.Off) }

func attemptWriteAt(o *Op) int32 { return sys.WriteAt(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

func cachedWriteAt(o *Op) int32 { return sys.WriteAtNow(o.FD.Sys(), o.Buf[o.Done:], o.Rest()) }

// Open is openat(2) of the name in Buf, which ends with a NUL, from the directory FD on,
// or from the working directory without one. Arg is the flags, to which CLOEXEC and
// LARGEFILE are added, Arg2 the mode of a file that it makes. The result is the new
// descriptor, in the mode that the flags say.
func attemptOpen(o *Op) int32 { return sys.Openat(dirOf(o), o.Buf, int(o.Arg), o.Arg2) }

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
