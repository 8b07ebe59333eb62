//go:build linux

package logstore

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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

func (d osFolder) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d osFolder) Names() (names []string, err error) {
	entries, err := os.ReadDir(string(d))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
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
