package memkernel

import (
	"encoding/binary"

	"ringo/internal/sys"
)

// unixName is a name of a Unix socket, and the socket that has it.
type unixName struct{ socket *socket }

// unixNameOf returns the name in an address, in the kernel's form; ok is false if there is none.
func unixNameOf(sa *sys.Sockaddr) (name string, ok bool) {
	if sa.Family() != sys.AFUnix {
		return "", false
	}
	raw := sa.Bytes()[2:]
	if len(raw) > 0 && raw[0] != 0 {
		for i, c := range raw {
			if c == 0 {
				raw = raw[:i]
				break
			}
		}
	}
	return string(raw), true
}

// setUnixName stores a name in an address.
func setUnixName(sa *sys.Sockaddr, name string) {
	b := make([]byte, 2, 2+len(name)+1)
	binary.NativeEndian.PutUint16(b, sys.AFUnix)
	b = append(b, name...)
	if name != "" && name[0] != 0 {
		b = append(b, 0)
	}
	sa.SetBytes(b)
}

func (s *socket) bindName(to *sys.Sockaddr) int32 {
	name, ok := unixNameOf(to)
	if !ok {
		return -sys.EINVAL
	}
	if s.file != nil {
		return -sys.EINVAL
	}
	if name == "" { // a name of the kernel's choice
		for i := 1; ; i++ {
			name = "\x00" + string(appendHex(nil, i))
			if s.h.names[name] == nil {
				break
			}
		}
	}
	if name[0] == 0 {
		if s.h.names[name] != nil {
			return -sys.EADDRINUSE
		}
		s.file = &unixName{s}
		s.h.names[name] = s.file
	} else {
		n, res := s.h.makeSocketFile(name)
		if res < 0 {
			return res
		}
		s.file = &unixName{s}
		n.name = s.file
	}
	s.name = name
	return 0
}

func appendHex(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	for shift := 16; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return b
}

// named returns the socket that has a name.
func (h *Host) named(name string) (*socket, int32) {
	var n *unixName
	if name != "" && name[0] == 0 {
		n = h.names[name]
	} else {
		var res int32
		if n, res = h.socketFile(name); res < 0 {
			return nil, res
		}
	}
	if n == nil || n.socket == nil {
		return nil, -sys.ECONNREFUSED
	}
	return n.socket, 0
}

func (s *socket) connectUnix(to *sys.Sockaddr) int32 {
	name, ok := unixNameOf(to)
	if !ok || name == "" {
		return -sys.EINVAL
	}
	l, res := s.h.named(name)
	switch {
	case res < 0:
		return res
	case l.kind != s.kind:
		return -int32(sys.EPROTOTYPE)
	case l.state != listening:
		return -sys.ECONNREFUSED
	case len(l.queue) > l.backlog:
		return -sys.EAGAIN
	}
	p := l.accepts(s)
	s.peerName = name
	s.join(p)
	s.tell()
	return 0
}
