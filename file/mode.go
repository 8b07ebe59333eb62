package file

import (
	"io/fs"
	"strings"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// modeBits returns a mode's bits in the kernel's form, without the file type.
func modeBits(perm fs.FileMode) uint32 {
	bits := uint32(perm.Perm())
	for mode, bit := range specialModes {
		if perm&mode != 0 {
			bits |= bit
		}
	}
	return bits
}

// modeOf converts a mode of the kernel to an fs.FileMode.
func modeOf(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	for mode, bit := range specialModes {
		if bits&bit != 0 {
			m |= mode
		}
	}
	return m | typeBits[bits&sys.SIfmt]
}

var specialModes = map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}

// typeBits maps the file types of the kernel, except regular files, to those of package fs.
var typeBits = map[uint32]fs.FileMode{
	sys.SIfifo: fs.ModeNamedPipe, sys.SIfchr: fs.ModeDevice | fs.ModeCharDevice, sys.SIfdir: fs.ModeDir,
	sys.SIfblk: fs.ModeDevice, sys.SIflnk: fs.ModeSymlink, sys.SIfsock: fs.ModeSocket,
}

// cString returns a name with a NUL behind it, as the kernel expects it.
func cString(name string) ([]byte, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, posix.EINVAL
	}
	b := make([]byte, len(name)+1)
	copy(b, name)
	return b, nil
}
