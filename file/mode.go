package file

import (
	"io/fs"
	"strings"
	"syscall"
)

// modeBits are a mode's bits as the kernel has them, but for the sort of file.
func modeBits(perm fs.FileMode) uint32 {
	bits := uint32(perm.Perm())
	if perm&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if perm&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if perm&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// cString is a name as the kernel wants it, with a NUL behind it.
func cString(name string) ([]byte, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, syscall.EINVAL
	}
	b := make([]byte, len(name)+1)
	copy(b, name)
	return b, nil
}
