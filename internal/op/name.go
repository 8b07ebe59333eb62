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

	How  sys.OpenHow // of an Openat2; its Mode, of a Mkdirat
	Stat sys.Statx   // result of a Statx
}

func (o *Op) name() *Name { return o.Ext.Name }

// dirOf is the number of the directory that names start from.
func dirOf(o *Op) int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.FD.Sys()
}

// toAt is the number of the directory that To starts from.
func (o *Op) toAt() int32 {
	if o.FD == nil {
		return sys.AtFdcwd
	}
	return o.Ext.Name.ToDir
}

// Openat2 opens Path as How says; the result is the descriptor.
func prepOpenat2(o *Op, e *uring.SQE) { e.PrepOpenat2(int(dirOf(o)), o.name().Path, how(o.name())) }

func attemptOpenat2(o *Op) int32 { return sys.Openat2(dirOf(o), o.name().Path, &o.name().How) }

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

// Statx puts what is known of Path into Stat.
func prepStatx(o *Op, e *uring.SQE) {
	e.PrepStatx(int(dirOf(o)), o.name().Path, o.CallFlags, sys.StatxAll, stat(o.name()))
}

func attemptStatx(o *Op) int32 {
	return sys.Statxat(dirOf(o), o.name().Path, o.CallFlags, sys.StatxAll, &o.name().Stat)
}

// What a kernel knows of a file on a disk of its own is up to date; what it knows of
// others may be old, and asking would wait for a server. With AtEmptyPath FD itself is
// asked about.
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

// Renameat gives Path the name To.
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
