//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rightsMessage is a message of the system's with duplicates of a descriptor.
func rightsMessage(t *testing.T, n int) (native []byte, fds []int32) {
	t.Helper()
	var data []byte
	for range n {
		fd := Dup(0)
		if fd < 0 {
			t.Fatal(fd)
		}
		fds = append(fds, fd)
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	return appendNative(nil, rights, data), fds
}

// Descriptors that came and that nobody gets are closed: those without room, and those of a message that says that it
// is longer than it is, as one does on Darwin that was cut.
func TestDescriptorsThatDoNotFit(t *testing.T) {
	native, fds := rightsMessage(t, 3)
	room := make([]byte, linuxSpace(8))
	if n, cut := linuxControl(room, native); n != len(room) || !cut {
		t.Errorf("three into the room for two: %d bytes, cut %v", n, cut)
	}
	for i, fd := range fds {
		if open := IsOpen(fd); open != (i < 2) {
			t.Errorf("descriptor %d of three is open: %v", i+1, open)
		}
		if i < 2 {
			if flags := Fcntl(fd, FGetfd, 0); flags&FDCloexec == 0 {
				t.Errorf("descriptor %d of three goes to programs", i+1)
			}
			Close(fd)
		}
	}
	native, fds = rightsMessage(t, 3)
	native = native[:unix.CmsgLen(12)] // what pads it would be a descriptor, too
	(*unix.Cmsghdr)(unsafe.Pointer(&native[0])).SetLen(unix.CmsgLen(400))
	if n, cut := linuxControl(make([]byte, 100), native); n != 0 || !cut {
		t.Errorf("of a message that was cut: %d bytes, cut %v", n, cut)
	}
	for _, fd := range fds {
		if IsOpen(fd) {
			t.Errorf("descriptor %d of a message that was cut is open", fd)
			Close(fd)
		}
	}
}
