package file

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Remove removes a file or an empty directory, as os.Remove does. It may wait; a task parks.
func Remove(name string) error { return pathError("remove", name, removeAt(noFD, name)) }

// RemoveAll removes a file, or a directory and everything in it, as os.RemoveAll does: it never follows links, even if
// another process makes them meanwhile. A missing file is not an error. It may wait; a task parks, and a cancelled one
// stops between two files.
func RemoveAll(path string) error {
	if path == "" {
		return nil
	}
	if endsWithDot(path) {
		return pathError("RemoveAll", path, posix.EINVAL)
	}
	err := Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir, base := splitPath(kernelName(path))
	if base == "" {
		return err // the root of the file system
	}
	err = offload(func(stop func() error) error {
		parent, err := openAt(noFD, dir, 0, 0, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return pathError("open", dir, err)
		}
		defer closeNumber(parent)
		return below(dir, removeTree(parent, base, stop))
	})
	var p *fs.PathError
	if errors.As(err, &p) {
		return err
	}
	return pathError("RemoveAll", path, err)
}

// below puts a directory before the name in an error.
func below(dir string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		p.Path = dir + separator() + p.Path
	}
	return err
}

func endsWithDot(path string) bool { return path == "." || strings.HasSuffix(path, "/.") }

// splitPath splits a name into its directory and its last part.
func splitPath(path string) (dir, base string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	switch {
	case i < 0:
		return ".", path
	case i == 0:
		return "/", path[1:]
	}
	return path[:i], path[i+1:]
}

// removeStep is how many entries of a directory are read at a time.
const removeStep = 1024

// removeTree removes base, one name in parent, and everything below. It enters a directory only by a descriptor that
// was opened without following a link. It makes blocking calls, so it runs on an ordinary goroutine; stop returns an
// error if it must not go on.
func removeTree(parent int32, base string, stop func() error) error {
	if err := stop(); err != nil {
		return err
	}
	err := unlinkAt(parent, base, 0)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A directory that can be emptied may give EPERM or EACCES, too.
	if err != posix.EISDIR && err != posix.EPERM && err != posix.EACCES {
		return pathError("unlinkat", base, err)
	}
	inside := err
	var failed error
	for more := true; more; {
		dir, err := openAt(parent, base, sys.ODirectory|sys.ONofollow, 0, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == posix.ENOTDIR || err == posix.ELOOP:
			return pathError("unlinkat", base, inside)
		case err != nil:
			failed = pathError("openfdat", base, err)
		}
		if err != nil {
			break
		}
		var first error
		if more, first, err = emptyDir(dir, base, stop); err != nil {
			return err
		}
		if failed == nil {
			failed = first
		}
	}
	err = unlinkAt(parent, base, sys.AtRemovedir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if failed != nil {
		return failed
	}
	return pathError("unlinkat", base, err)
}

// emptyDir removes entries of a directory until some are gone, and closes it, because what a directory lists after a
// removal is not specified. more reports that the directory has to be opened and read again; first is the first error
// of an entry that could not be removed.
func emptyDir(dir int32, base string, stop func() error) (more bool, first, err error) {
	l := newListing(base, newEntries(dir, base))
	defer l.Close()
	for {
		names, err := l.names(removeStep)
		if err != nil && err != io.EOF {
			if errors.Is(err, fs.ErrNotExist) {
				return false, first, nil
			}
			return false, first, pathError("readdirnames", base, err)
		}
		failures := 0
		for _, name := range names {
			if err := removeTree(dir, name, stop); err != nil {
				if why := stop(); why != nil {
					return false, first, why
				}
				failures++
				if first == nil {
					first = below(base, err)
				}
			}
		}
		if failures < removeStep {
			return len(names) == removeStep, first, nil
		}
	}
}

// names returns the next n names at most; with the last ones it returns io.EOF.
func (l *Listing) names(n int) (all []string, err error) {
	for len(all) < n {
		name, _, err := l.entries.next()
		if err != nil {
			return all, err
		}
		all = append(all, name)
	}
	return all, nil
}
