//go:build linux

package file_test

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// extent is where a part of a file is on its disk, see linux/fiemap.h.
type extent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

const (
	fiemapCall   = 0xc020660b // FS_IOC_FIEMAP
	fiemapSync   = 1          // FIEMAP_FLAG_SYNC
	extentShared = 0x2000     // FIEMAP_EXTENT_SHARED
)

const _ = -(unsafe.Sizeof(extent{}) ^ 56)

// extents are a file's, as the file system tells them.
func extents(t *testing.T, name string) []extent {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var m struct {
		start, length                 uint64
		flags, mapped, count, reserve uint32
		extents                       [128]extent
	}
	m.length, m.flags, m.count = 1<<63, fiemapSync, uint32(len(m.extents))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemapCall, uintptr(unsafe.Pointer(&m))); errno != 0 {
		t.Fatalf("FS_IOC_FIEMAP of %s: %v", name, errno)
	}
	return m.extents[:m.mapped]
}

// shares reports how many bytes of a file are in blocks that another has, too, and how
// many are not.
func shares(t *testing.T, name string) (shared, own uint64) {
	t.Helper()
	for _, e := range extents(t, name) {
		if e.flags&extentShared != 0 {
			shared += e.length
		} else {
			own += e.length
		}
	}
	return shared, own
}
