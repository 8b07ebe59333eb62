package file

import (
	"errors"
	"io/fs"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// RenameFlags select how to rename: 0 replaces a file with the new name; at most one flag may be set. They are RENAME_
// of renameat2(2), Linux 3.15. The error is EINVAL if the file system does not support the flag.
type RenameFlags uint32

const (
	// NoReplace fails with fs.ErrExist if the new name exists.
	NoReplace RenameFlags = 1
	// Exchange swaps the two names atomically.
	Exchange RenameFlags = 2
)

const _ = -uint(NoReplace ^ sys.RenameNoreplace | Exchange ^ sys.RenameExchange) // compiles if both are the same

// Rename renames a file, as os.Rename does: it replaces an existing file of that name, but not a directory. It may
// wait; a task parks.
func Rename(oldname, newname string) error {
	if info, err := Lstat(newname); err == nil && info.IsDir() {
		old, err := Lstat(oldname)
		if err != nil {
			return linkError("rename", oldname, newname, withoutPath(err))
		}
		if newname == oldname || !SameFile(info, old) {
			return linkError("rename", oldname, newname, posix.EEXIST)
		}
	}
	return linkError("rename", oldname, newname, onNames(op.Renameat, noFD, oldname, noFD, newname, 0))
}

// withoutPath returns the error inside an *fs.PathError, or err.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// RenameWith renames a file, as renameat2(2) does: without flags a directory replaces an empty one. It fails with
// EINVAL if the file system does not support a flag. It may wait; a task parks.
func RenameWith(oldname, newname string, flags RenameFlags) error {
	return linkError("rename", oldname, newname, onNames(op.Renameat, noFD, oldname, noFD, newname, uint32(flags)))
}

// Link gives a file a second name, as os.Link does. It may wait; a task parks.
func Link(oldname, newname string) error {
	return linkError("link", oldname, newname, onNames(op.Linkat, noFD, oldname, noFD, newname, 0))
}

// Symlink makes newname a symbolic link to oldname, as os.Symlink does. It may wait; a task parks.
func Symlink(oldname, newname string) error {
	return linkError("symlink", oldname, newname, onNames(op.Symlinkat, noFD, newname, noFD, oldname, 0))
}

// Readlink returns the target of a symbolic link, as os.Readlink does. It may wait; a task parks.
func Readlink(name string) (string, error) {
	to, err := readlinkAt(noFD, name)
	return to, pathError("readlink", name, err)
}
