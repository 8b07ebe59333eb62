package file

import (
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// AccessMode is what Access checks: any of these, combined with |.
type AccessMode uint32

// Rights to a file, as in access(2). For a directory AccessExec is the right to look up names in it, and AccessWrite
// that to create and remove them.
const (
	AccessExist AccessMode = 0 // existence only
	AccessExec  AccessMode = 1
	AccessWrite AccessMode = 2
	AccessRead  AccessMode = 4
)

// Access returns nil if the process may use a file, or the target of a link, as mode says. It checks the effective user
// and group, as an open would (AT_EACCESS of faccessat2(2), Linux 5.8); access(2) and the shell's test check the real
// ones. Before 5.8, or where a filter blocks faccessat2, it uses faccessat(2) if the real ones are the same, and
// otherwise returns the error of faccessat2.
//
// Without permission the error is fs.ErrPermission; for writing to a read-only file system it is EROFS, and to a
// running program's file ETXTBSY. Root may read and write almost everything. The answer may be outdated when Access
// returns: to use a file, open it, and check the error. It may wait; a task parks.
func Access(name string, mode AccessMode) error {
	return pathError("access", name, accessAt(noFD, name, mode, sys.AtEaccess))
}

// Access is the function Access for a file in d. It may wait; a task parks.
func (d *Root) Access(name string, mode AccessMode) error {
	return d.on("accessat", name, func() error {
		// faccessat2 takes these flags since Linux 5.8.
		return d.withObject(name, 0, orByProc(func(dir int32, base string, at uint32) error {
			return accessAt(dir, base, mode, sys.AtEaccess|at)
		}))
	})
}

func accessAt(dir int32, name string, mode AccessMode, flags uint32) error {
	return doAt(name, func(k kernel.Kernel, path []byte) int32 { return k.Faccessat(dir, path, uint32(mode), flags) })
}
