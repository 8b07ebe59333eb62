package file

import (
	"os"
	"strings"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Rename renames a file in d: it replaces an existing file of that name, but not a directory. It may wait; a task
// parks.
func (d *Root) Rename(oldname, newname string) error {
	return d.two("renameat", oldname, d, newname, func(dir int32, base string, toDir int32, toBase string) error {
		// Without its trailing slash, which would make the kernel follow a link.
		if there, err := statAt(toDir, strings.TrimRight(toBase, "/"), sys.AtSymlinkNofollow); err == nil &&
			there.Mode&sys.SIfmt == sys.SIfdir {
			old, err := statAt(dir, strings.TrimRight(base, "/"), sys.AtSymlinkNofollow)
			if err != nil {
				return err
			}
			if strings.TrimRight(base, "/") == strings.TrimRight(toBase, "/") ||
				!SameFile(newInfo(oldname, &old), newInfo(newname, &there)) {
				return posix.EEXIST
			}
		}
		return onNames(op.Renameat, dir, base, toDir, toBase, 0)
	})
}

// RenameTo moves a file in d to a name in another directory, or in the same, as RenameWith does. It may wait; a task
// parks.
func (d *Root) RenameTo(oldname string, to *Root, newname string, flags RenameFlags) error {
	return d.two("renameat", oldname, to, newname, func(dir int32, base string, toDir int32, toBase string) error {
		return onNames(op.Renameat, dir, base, toDir, toBase, uint32(flags))
	})
}

// Link gives a file in d a second name there; for a symbolic link it makes a second one. It may wait; a task parks.
func (d *Root) Link(oldname, newname string) error {
	at := oldname
	if end := len(at) - 1; end >= 0 && os.IsPathSeparator(at[end]) {
		at += "." // it is about what a link leads to, a directory, which the kernel gives no second name
	}
	err := d.two("linkat", at, d, newname, func(dir int32, base string, toDir int32, toBase string) error {
		return onNames(op.Linkat, dir, base, toDir, toBase, 0)
	})
	if failed, ok := err.(*os.LinkError); ok {
		failed.Old = oldname
	}
	return err
}

// two runs a call on two names.
func (d *Root) two(what, oldname string, to *Root, newname string,
	f func(dir int32, base string, toDir int32, toBase string) error) error {
	if err := d.begin(what, oldname); err != nil {
		return linkError(what, oldname, newname, withoutPath(err))
	}
	defer d.refs.release()
	if to != d {
		if err := to.begin(what, newname); err != nil {
			return linkError(what, oldname, newname, withoutPath(err))
		}
		defer to.refs.release()
	}
	return linkError(what, oldname, newname, d.withParent(oldname, func(dir int32, base string) error {
		return to.withParent(newname, func(toDir int32, toBase string) error {
			return f(dir, base, toDir, toBase)
		})
	}))
}
