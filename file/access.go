package file

import (
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// AccessMode is what Access asks for: any of these, joined by |.
type AccessMode uint32

// What a process may do with a file, as in access(2). Of a directory AccessExec is to look names up in it, and
// AccessWrite to make and remove some.
const (
	AccessExist AccessMode = 0 // nothing: is it there?
	AccessExec  AccessMode = 1
	AccessWrite AccessMode = 2
	AccessRead  AccessMode = 4
)

// Access returns nil if the process may use a file, or what a link leads to, as mode says. It asks as an open would:
// for the effective user and group (AT_EACCESS of faccessat2(2), Linux 5.8), where access(2) and the shell's test ask
// for the real ones. Before 5.8, or where a filter has no faccessat2, faccessat(2) is asked if the real ones are the
// same, and else the error is that of faccessat2.
//
// Without permission the error is fs.ErrPermission; to write on a file system that is mounted read-only, EROFS; the
// program that runs as a file, ETXTBSY. Root may read and write almost all. It may be different when Access has
// returned: to use a file, open it, and look at the error. It may wait; a task parks.
func Access(name string, mode AccessMode) error {
	return pathError("access", name, accessAt(noFD, name, mode, sys.AtEaccess))
}

// Access is the function Access for a file in d. It may wait; a task parks.
func (d *Dir) Access(name string, mode AccessMode) error {
	return d.on("accessat", name, func() error {
		return d.withObject(name, 0, func(n int32) error {
			err := accessAt(n, "", mode, sys.AtEaccess|sys.AtEmptyPath)
			if unknown(err) { // before Linux 5.8
				err = accessAt(noFD, magicLink(n), mode, sys.AtEaccess)
			}
			return err
		})
	})
}

func accessAt(dir int32, name string, mode AccessMode, flags uint32) error {
	return doAt(name, func(k kernel.Kernel, path []byte) int32 { return k.Faccessat(dir, path, uint32(mode), flags) })
}
