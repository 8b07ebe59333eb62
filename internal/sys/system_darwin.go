//go:build darwin

package sys

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncFile also makes the disk write its cache, which fsync(2) does not do here.
func syncFile(fd int) error {
	return durably(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	}, func() error { return unix.Fsync(fd) })
}

// renameFlags is renameatx_np(2).
func renameFlags(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	native := uint32(0)
	if flags&RenameNoreplace != 0 {
		native |= unix.RENAME_EXCL
	}
	if flags&RenameExchange != 0 {
		native |= unix.RENAME_SWAP
	}
	return again(func() (int, error) {
		return 0, unix.RenameatxNp(dirfd(oldDir), path(old), dirfd(newDir), path(name), native)
	})
}

func readlink(dir int, name string, p []byte) (int, error) { return unix.Readlinkat(dir, name, p) }

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return s.Btim, true }

// Mknodat makes a FIFO, in the working directory or by an absolute name: the system offers no more.
func Mknodat(dir int32, name []byte, mode, dev uint32) int32 {
	if mode&SIfmt != SIfifo || dir != AtFdcwd && !strings.HasPrefix(path(name), "/") {
		return -EOPNOTSUPP
	}
	return again(func() (int, error) { return 0, unix.Mkfifo(path(name), mode&^SIfmt) })
}

const (
	xattrCreate  = unix.XATTR_CREATE
	xattrReplace = unix.XATTR_REPLACE
)

// seekable returns the system's number for a whence of Linux.
func seekable(whence int) (native int, ok bool) {
	switch whence {
	case SeekData:
		return unix.SEEK_DATA, true
	case SeekHole:
		return unix.SEEK_HOLE, true
	}
	return whence, true
}

// clockMonotonic is the clock that Go's runtime uses. CLOCK_MONOTONIC continues while the machine sleeps, and has only
// microseconds.
const clockMonotonic = unix.CLOCK_UPTIME_RAW

// readDirent reads entries. It opens the directory once more meanwhile, a descriptor that programs started now would
// inherit.
func readDirent(fd int, p []byte) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return unix.ReadDirent(fd, p)
}

// object is the flags for a descriptor that stands for a name: the file, opened for reading without waiting.
const object = ONonblock

// atEmptyPath makes a call refer to its descriptor, which no call has here.
const atEmptyPath = 0

const (
	// pollEnd would be the bit of a peer's end.
	pollEnd = 0
	// hangupIsEnd says that POLLHUP may mean only the end of what comes.
	hangupIsEnd = true
)

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.ELOOP

// endsSilently says whether poll(2) does not report a peer's end.
const endsSilently = false

func ended(int32) bool { return false }

// wildcardIsHere says whether connecting to the unspecified address connects to this machine.
const wildcardIsHere = true
