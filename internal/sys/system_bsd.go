//go:build dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

func syncFile(fd int) error { return unix.Fsync(fd) }

func readDirent(fd int, p []byte) (int, error) { return unix.ReadDirent(fd, p) }

// renameFlags exists on Linux and Darwin only.
func renameFlags(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	return posix.Lack(EINVAL)
}

// Mknodat is mknodat(2).
func Mknodat(dir int32, name []byte, mode, dev uint32) int32 {
	return again(func() (int, error) { return 0, mknod(dirfd(dir), path(name), mode, int(dev)) })
}

// hangupIsEnd says whether POLLHUP may stand for less than a connection that is gone.
const hangupIsEnd = false
