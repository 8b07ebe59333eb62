package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Ops on names and directories, whose calls may wait for a disk. FD is the directory
// that a name starts from, the working directory without one; the name and all else
// that is passed by address is in Ext.Name. None of them is given up while it runs,
// because what it makes would be nobody's.

// Name is the memory of an op on names, its caller's until Submit and again after the
// last completion. Paths end with a NUL.
type Name struct {
	Path []byte
	// To is the second name of those ops that have two, and To's directory ToDir if
	// the first has FD; otherwise it starts from the working directory, too.
	To    []byte
	ToDir int32

	How   sys.OpenHow  // of an Openat2
	Stat  sys.Statx    // result of a Statx
	Times sys.TimePair // of a Utimensat
}

func (o *Op) name() *Name { return o.Ext.Name }

// toAt is the number of the directory that To starts from.
func (o *Op) toAt() int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.Ext.Name.ToDir
}

// Openat2 opens Path as How says; the result is the descriptor. With ResolveBeneath
// the kernel says -EAGAIN when directories moved meanwhile, so that it can't tell
// whether a name leads out: then it is asked again.
func prepOpenat2(o *Op, e *uring.SQE) { e.PrepOpenat2(int(dirOf(o)), o.name().Path, how(o.name())) }

// With Off UnlessFIFO nothing is done to a FIFO, as in an Open.
func attemptOpenat2(o *Op) (res int32) {
	if o.Off == UnlessFIFO && sys.IsFIFO(dirOf(o), o.name().Path) {
		return -sys.EINPROGRESS
	}
	for range movesMax {
		res = sys.Openat2(dirOf(o), o.name().Path, &o.name().How)
		if res != -sys.EAGAIN || o.name().How.Resolve&sys.ResolveBeneath == 0 {
			break
		}
	}
	return res
}

// movesMax is how often a name is looked up anew because directories moved meanwhile.
const movesMax = 64

// cachedOpenat2 leaves opens for writing alone: overlayfs copies a file up in them.
func cachedOpenat2(o *Op) int32 {
	how := &o.name().How
	if how.Flags&sys.OPath == 0 && how.Flags&sys.OAccmode != 0 {
		return -sys.EAGAIN
	}
	return untold(sys.OpenatCached(dirOf(o), o.name().Path, how))
}

// untold is the result of a call that was to be made by what is in memory, and of
// which kernels that don't know such a thing say that it has a wrong flag, or that
// there is no such call.
func untold(res int32) int32 {
	switch res {
	case -sys.EINVAL, -sys.ENOSYS, -sys.EPERM:
		return -sys.EOPNOTSUPP
	}
	return res
}

// Statx puts what is known of Path into Stat. Arg is AT_ flags.
func prepStatx(o *Op, e *uring.SQE) {
	e.PrepStatx(int(dirOf(o)), o.name().Path, o.Arg, sys.StatxBasic|sys.StatxBtime, stat(o.name()))
}

func attemptStatx(o *Op) int32 { return sys.Statxat(dirOf(o), o.name().Path, o.Arg, &o.name().Stat) }

// See cachedStat for files that have no disk of their own. With AtEmptyPath FD itself
// is asked about.
func cachedStatx(o *Op) int32 {
	if o.Arg&^(sys.AtSymlinkNofollow|sys.AtEmptyPath) != 0 {
		return -sys.EOPNOTSUPP
	}
	res := untold(sys.StatCached(dirOf(o), o.name().Path, o.Arg, &o.name().Stat))
	if res == 0 && o.name().Stat.DevMajor == 0 {
		return -sys.EAGAIN
	}
	return res
}

// Mkdirat makes the directory Path with mode Arg.
func prepMkdirat(o *Op, e *uring.SQE) { e.PrepMkdirat(int(dirOf(o)), o.name().Path, o.Arg) }

func attemptMkdirat(o *Op) int32 { return sys.Mkdirat(dirOf(o), o.name().Path, o.Arg) }

// Unlinkat removes Path. Arg is AT_ flags.
func prepUnlinkat(o *Op, e *uring.SQE) { e.PrepUnlinkat(int(dirOf(o)), o.name().Path, o.Arg) }

func attemptUnlinkat(o *Op) int32 { return sys.Unlinkat(dirOf(o), o.name().Path, o.Arg) }

// Renameat gives Path the name To. Arg is RENAME_ flags.
func prepRenameat(o *Op, e *uring.SQE) {
	e.PrepRenameat(int(dirOf(o)), o.name().Path, int(o.toAt()), o.name().To, o.Arg)
}

func attemptRenameat(o *Op) int32 {
	return sys.Renameat(dirOf(o), o.name().Path, o.toAt(), o.name().To, o.Arg)
}

// Linkat makes To another name of Path. Arg is AT_ flags.
func prepLinkat(o *Op, e *uring.SQE) {
	e.PrepLinkat(int(dirOf(o)), o.name().Path, int(o.toAt()), o.name().To, o.Arg)
}

func attemptLinkat(o *Op) int32 {
	return sys.Linkat(dirOf(o), o.name().Path, o.toAt(), o.name().To, o.Arg)
}

// Symlinkat makes Path a symbolic link to To.
func prepSymlinkat(o *Op, e *uring.SQE) {
	e.PrepSymlinkat(o.name().To, int(dirOf(o)), o.name().Path)
}

func attemptSymlinkat(o *Op) int32 { return sys.Symlinkat(o.name().To, dirOf(o), o.name().Path) }

// Readlinkat puts what Path links to into Buf, cut where that ends.
func attemptReadlinkat(o *Op) int32 { return sys.Readlinkat(dirOf(o), o.name().Path, o.Buf) }

// Getdents puts the next entries of the directory FD into Buf, see getdents64(2).
func attemptGetdents(o *Op) int32 { return sys.Getdents(o.FD.Sys(), o.Buf) }

// Chmodat gives Path the mode Arg. Arg2 is AT_ flags.
func attemptChmodat(o *Op) int32 { return sys.Fchmodat(dirOf(o), o.name().Path, o.Arg, o.Arg2) }

// Chownat gives Path the owner Arg and the group Arg2, where all ones leave them. Off is
// AT_ flags.
func attemptChownat(o *Op) int32 {
	return sys.Fchownat(dirOf(o), o.name().Path, o.Arg, o.Arg2, uint32(o.Off))
}

// Utimensat gives Path the Times. Arg is AT_ flags.
func attemptUtimensat(o *Op) int32 {
	return sys.Utimensat(dirOf(o), o.name().Path, &o.name().Times, o.Arg)
}

// Mknodat makes Path a file of the sort and with the mode in Arg; Arg2 is the device
// that it stands for.
func attemptMknodat(o *Op) int32 { return sys.Mknodat(dirOf(o), o.name().Path, o.Arg, o.Arg2) }

// Truncate makes Path, which starts from the working directory, Off bytes long.
func attemptTruncate(o *Op) int32 { return sys.Truncate(o.name().Path, o.Off) }

// CopyRange copies up to Arg bytes from FD to the file with the number ToDir, between
// their positions, within the kernel.
func attemptCopyRange(o *Op) int32 {
	return sys.CopyRange(o.FD.Sys(), o.name().ToDir, -1, -1, int(o.Arg))
}

// Clone makes the file with the number ToDir a copy of FD that shares its blocks.
func attemptClone(o *Op) int32 { return sys.Clone(o.name().ToDir, o.FD.Sys()) }

// Lseek moves FD's position to Off as Arg says, and leaves in Off where it is then.
func attemptLseek(o *Op) (res int32) {
	at, res := sys.SeekIn(o.FD.Sys(), o.Off, int(o.Arg))
	if res >= 0 {
		o.Off = at
	}
	return res
}

// From the end, or to data or a hole, it may have to ask a disk or a server.
func cachedLseek(o *Op) int32 {
	if o.Arg > sys.SeekCur {
		return -sys.EOPNOTSUPP
	}
	return attemptLseek(o)
}
