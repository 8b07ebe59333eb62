package file

import (
	"io/fs"
	"os"

	"ringo/internal/posix"
)

// Mkdir makes a directory, as os.Mkdir does. It may wait; a task parks.
func Mkdir(name string, perm fs.FileMode) error {
	return pathError("mkdir", name, mkdirAt(noFD, name, modeBits(perm)))
}

// MkdirAll makes a directory and those above it, as os.MkdirAll does. It may wait; a task parks.
func MkdirAll(path string, perm fs.FileMode) error {
	return mkdirAll("mkdir", path, perm, Stat, Mkdir, Lstat)
}

// mkdirAll is MkdirAll, made of the given calls.
func mkdirAll(what, path string, perm fs.FileMode, stat func(string) (fs.FileInfo, error),
	mkdir func(string, fs.FileMode) error,
	lstat func(string) (fs.FileInfo, error)) error {
	if dir, err := stat(path); err == nil {
		if dir.IsDir() {
			return nil
		}
		return pathError(what, path, posix.ENOTDIR)
	}
	end := len(path)
	for end > 0 && os.IsPathSeparator(path[end-1]) {
		end--
	}
	for end > 0 && !os.IsPathSeparator(path[end-1]) {
		end--
	}
	if parent := path[:max(end-1, 0)]; parent != "" {
		if err := mkdirAll(what, parent, perm, stat, mkdir, lstat); err != nil {
			return err
		}
	}
	err := mkdir(path, perm)
	if err != nil {
		if dir, err := lstat(path); err == nil && dir.IsDir() {
			return nil // "foo/.", or another caller was faster
		}
	}
	return err
}

// Mkfifo makes a FIFO, see mkfifo(3). It may wait; a task parks.
func Mkfifo(name string, perm fs.FileMode) error {
	return pathError("mkfifo", name, mkfifoAt(noFD, name, modeBits(perm)))
}
