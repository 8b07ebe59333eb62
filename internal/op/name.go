package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Ops on names and directories, whose calls may wait for a disk. FD is the directory that a name starts from; nil
// means the working directory. The name and all else that is passed by address is in Ext.Name. A cancel does not give
// them up while they run, because what they make would have no owner.

// Name is the memory of an op on names. It belongs to the caller until Submit, and again after the last completion.
// Paths end with a NUL.
type Name struct {
	Path []byte
	// To is the second name, for ops that have two. If the op has an FD, ToDir is the number of To's directory; if not
	// To starts from the working directory, too.
	To    []byte
	ToDir int32

	How  sys.OpenHow // of an Openat2; How.Mode also of a Mkdirat
	Stat sys.Statx   // result of a Statx
}

func (o *Op) name() *Name { return o.Ext.Name }

// dirOf returns the number of the directory that Path starts from.
func dirOf(o *Op) int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.FD.Sys()
}

// toAt returns the number of the directory that To starts from.
func (o *Op) toAt() int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.Ext.Name.ToDir
}

// Openat2 opens Path as How says; the result is the descriptor.
func prepOpenat2(o *Op, e *uring.SQE) { e.PrepOpenat2(int(dirOf(o)), o.name().Path, how(o.name())) }

func attemptOpenat2(o *Op) int32 { return sys.Openat2(dirOf(o), o.name().Path, &o.name().How) }

// cachedOpenat2 does not try to open for writing: on overlayfs such an open copies the file.
func cachedOpenat2(o *Op) int32 {
	how := &o.name().How
	if how.Flags&sys.OPath == 0 && how.Flags&sys.OAccmode != 0 {
		return -sys.EAGAIN
	}
	return untold(sys.OpenatCached(dirOf(o), o.name().Path, how))
}

// untold turns the error of a kernel without cached-only calls, which reports a wrong flag or a missing call, into
// -EOPNOTSUPP.
func untold(res int32) int32 {
	switch res {
	case -sys.EINVAL, -sys.ENOSYS, -sys.EPERM:
		return -sys.EOPNOTSUPP
	}
	return res
}

// Statx puts the attributes of Path into Stat.
func prepStatx(o *Op, e *uring.SQE) {
	e.PrepStatx(int(dirOf(o)), o.name().Path, o.CallFlags, sys.StatxAll, stat(o.name()))
}

func attemptStatx(o *Op) int32 {
	return sys.Statxat(dirOf(o), o.name().Path, o.CallFlags, sys.StatxAll, &o.name().Stat)
}

// cachedStatx trusts what the kernel has in memory for a file on a local disk. For other files that may be old, and to
// ask would wait for a server, so it returns -EAGAIN. With AtEmptyPath the file is FD itself.
func cachedStatx(o *Op) int32 {
	if o.CallFlags&^(sys.AtSymlinkNofollow|sys.AtEmptyPath) != 0 {
		return -sys.EOPNOTSUPP
	}
	res := untold(sys.StatCached(dirOf(o), o.name().Path, o.CallFlags, &o.name().Stat))
	if res == 0 && o.name().Stat.DevMajor == 0 {
		return -sys.EAGAIN
	}
	return res
}

// Mkdirat makes the directory Path with the mode of How.
func prepMkdirat(o *Op, e *uring.SQE) {
	e.PrepMkdirat(int(dirOf(o)), o.name().Path, uint32(o.name().How.Mode))
}

func attemptMkdirat(o *Op) int32 {
	return sys.Mkdirat(dirOf(o), o.name().Path, uint32(o.name().How.Mode))
}

// Unlinkat removes Path.
func prepUnlinkat(o *Op, e *uring.SQE) { e.PrepUnlinkat(int(dirOf(o)), o.name().Path, o.CallFlags) }

func attemptUnlinkat(o *Op) int32 { return sys.Unlinkat(dirOf(o), o.name().Path, o.CallFlags) }

// Renameat renames Path to To.
func prepRenameat(o *Op, e *uring.SQE) {
	e.PrepRenameat(int(dirOf(o)), o.name().Path, int(o.toAt()), o.name().To, o.CallFlags)
}

func attemptRenameat(o *Op) int32 {
	return sys.Renameat(dirOf(o), o.name().Path, o.toAt(), o.name().To, o.CallFlags)
}

// Linkat makes To another name of Path.
func prepLinkat(o *Op, e *uring.SQE) {
	e.PrepLinkat(int(dirOf(o)), o.name().Path, int(o.toAt()), o.name().To, o.CallFlags)
}

func attemptLinkat(o *Op) int32 {
	return sys.Linkat(dirOf(o), o.name().Path, o.toAt(), o.name().To, o.CallFlags)
}

// Symlinkat makes Path a symbolic link to To.
func prepSymlinkat(o *Op, e *uring.SQE) {
	e.PrepSymlinkat(o.name().To, int(dirOf(o)), o.name().Path)
}

func attemptSymlinkat(o *Op) int32 { return sys.Symlinkat(o.name().To, dirOf(o), o.name().Path) }
