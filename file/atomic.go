package file

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
)

// An AtomicFile is a file that gets its name only once it is complete and on the disk: an open of that name, even after
// a crash, finds either the old content or the new.
//
//	f, err := file.CreateAtomic("state.json", 0o644)
//	...
//	defer f.Abort()
//	json.NewEncoder(f).Encode(state)
//	return f.Commit()
//
// Until then it has a temporary name in the same directory, which a killed process leaves behind.
type AtomicFile struct {
	*File
	dir        *Root
	base, temp string
	name       string
	done       bool
}

// CreateAtomic makes a file that will replace the one with this name; a symbolic link is replaced itself. perm is the
// new file's mode, before the umask, even if the old file exists. It may wait; a task parks.
func CreateAtomic(name string, perm fs.FileMode) (*AtomicFile, error) {
	switch {
	case name == "":
		return nil, pathError("open", name, posix.ENOENT)
	case strings.HasSuffix(name, "/"), endsWithDot(name), name == "..", strings.HasSuffix(name, "/.."):
		return nil, pathError("open", name, posix.EISDIR)
	}
	at, base := splitPath(name)
	dir, err := OpenRoot(at)
	if err != nil {
		return nil, pathError("open", name, withoutPath(err))
	}
	for range triesMax {
		temp := ".ringo-" + strconv.FormatUint(loop.Rand(), 36)
		f, err := dir.openFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			return &AtomicFile{File: f, dir: dir, base: base, temp: temp, name: name}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			dir.Close()
			return nil, pathError("open", name, withoutPath(err))
		}
	}
	dir.Close()
	return nil, pathError("open", name, fs.ErrExist)
}

// Commit syncs the file, renames it, syncs the directory and closes the file. If it fails, the new file is removed and
// the old one stays, unless the error's Op is "syncdir": then the new file has the name, but a crash may undo that. It
// may wait; a task parks, and a cancel does not interrupt the rename.
func (a *AtomicFile) Commit() error {
	if a.done {
		return pathError("commit", a.name, os.ErrClosed)
	}
	err := withoutPath(a.Sync())
	if closed := withoutPath(a.File.Close()); err == nil {
		err = closed
	}
	if err == nil {
		defer shield()() // otherwise the caller could not tell whether it was renamed
		err = onNames(op.Renameat, a.dir.n, a.temp, a.dir.n, a.base, 0)
	}
	if err != nil {
		a.drop()
		return pathError("commit", a.name, err)
	}
	a.done = true
	defer a.dir.Close()
	return pathError("syncdir", a.name, withoutPath(a.dir.Sync()))
}

// Abort removes and closes the file, even in a cancelled task. After Commit it does nothing. It may wait; a task parks.
func (a *AtomicFile) Abort() error {
	if a.done {
		return nil
	}
	a.File.Close()
	return pathError("abort", a.name, a.drop())
}

// Close calls Abort.
func (a *AtomicFile) Close() error { return a.Abort() }

// shield lets a cancelled task wait as if it were not, until end is called.
func shield() (end func()) {
	l, _ := loop.Current()
	if l == nil {
		return func() {}
	}
	l.Shield()
	return l.Unshield
}

// drop removes the temporary file, even in a cancelled task.
func (a *AtomicFile) drop() error {
	a.done = true
	defer shield()()
	defer a.dir.Close()
	err := unlinkAt(a.dir.n, a.temp, 0)
	if err == posix.ENOENT {
		return nil
	}
	return err
}

// WriteFileAtomic makes data the content of a file atomically: an open of that name, even after a crash, finds the old
// content or all of data, and all of data once it has returned nil. The file gets the mode perm, before the umask, even
// if it exists already; a link is replaced. On failure nothing is left behind, see Commit. It may wait; a task parks.
func WriteFileAtomic(name string, data []byte, perm fs.FileMode) error {
	a, err := CreateAtomic(name, perm)
	if err != nil {
		return err
	}
	if _, err := a.Write(data); err != nil {
		a.Abort()
		return pathError("write", name, withoutPath(err))
	}
	return a.Commit()
}
