//go:build linux

package logstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/file"
)

// osFolder is a folder by package os, to compare with.
type osFolder string

type osFile struct{ *os.File }

func (d osFolder) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// cachedFolder is a folder by package os whose files are written by way of the page cache.
type cachedFolder struct{ osFolder }

func (d cachedFolder) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if flag&file.Direct != 0 {
		return nil, syscall.EINVAL
	}
	return d.osFolder.OpenFile(name, flag, perm)
}

func (d osFolder) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d osFolder) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (osFolder) Close() error { return nil }

// Datasync is what os.File lacks.
func (f osFile) Datasync() error {
	for {
		err := f.control(func(fd int) error { return unix.Fdatasync(fd) })
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func (f osFile) control(fn func(fd int) error) (err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := c.Control(func(fd uintptr) { err = fn(int(fd)) }); e != nil {
		return e
	}
	return err
}
