package sys

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// UnixPathMax is the size of a Unix socket's name in the kernel, see unix(7): the bytes of a path, which need not end
// with a NUL, or those of an abstract name including its leading NUL.
const UnixPathMax = 108

// SetUnix encodes the name of a Unix socket as package net writes it: a path, "@" (or a NUL) and an abstract name, or
// "" for none, for which bind(2) chooses a name. It returns false for a name that no socket can have: one that is too
// long, or a path with a NUL in it, at which the kernel would truncate it.
func (sa *Sockaddr) SetUnix(name string) (ok bool) {
	abstract := strings.HasPrefix(name, "@") || len(name) > 1 && name[0] == 0
	if len(name) > UnixPathMax || !abstract && strings.IndexByte(name, 0) >= 0 {
		return false
	}
	*sa = Sockaddr{}
	b := sa.bytes()
	binary.NativeEndian.PutUint16(b[:], AFUnix)
	n := copy(b[familySize:], name)
	sa.len = uint32(familySize + n)
	switch {
	case abstract:
		b[familySize] = 0
	case n > 0 && n < UnixPathMax:
		sa.len++ // the NUL, for which a path of full length has no room
	}
	return true
}

// Unix decodes the name of a Unix socket, in the form of SetUnix; "" for a socket without a name. ok is false for any
// other family, and for an empty address. A path that begins with @ looks like an abstract name, as in package net.
func (sa *Sockaddr) Unix() (name string, ok bool) {
	if sa.Family() != AFUnix {
		return "", false
	}
	path := sa.bytes()[familySize:max(sa.len, familySize)]
	if sa.isAbstract() {
		return "@" + string(path[1:]), true
	}
	if len(path) == 0 || path[0] == 0 { // the family and a NUL: some kernels' form of no name
		return "", true
	}
	if end := bytes.IndexByte(path, 0); end >= 0 {
		path = path[:end]
	}
	return string(path), true
}

// isAbstract reports whether sa is the name of a Unix socket that is not in a directory.
func (sa *Sockaddr) isAbstract() bool {
	return sa.Family() == AFUnix && sa.Len() > familySize+1 && sa.bytes()[familySize] == 0
}
