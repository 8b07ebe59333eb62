//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// nativeFamily returns the system's number for an address family.
func nativeFamily(family int) (native int, ok bool) {
	switch family {
	case AFUnix:
		return unix.AF_UNIX, true
	case AFInet:
		return unix.AF_INET, true
	case AFInet6:
		return unix.AF_INET6, true
	}
	return 0, false
}

// native returns the address in the form of golang.org/x/sys.
func (sa *Sockaddr) native() (unix.Sockaddr, int32) {
	switch sa.Family() {
	case AFInet:
		if ap := sa.AddrPort(); ap.IsValid() {
			return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, 0
		}
	case AFInet6:
		if ap := sa.AddrPort(); ap.IsValid() {
			return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16(), ZoneId: sa.Scope()}, 0
		}
	case AFUnix:
		if sa.isAbstract() && !namesWithoutFiles { // package net would make a file of that name
			return nil, posix.Lack(EOPNOTSUPP)
		}
		name, _ := sa.Unix()
		return &unix.SockaddrUnix{Name: name}, 0
	default:
		return nil, -EAFNOSUPPORT
	}
	return nil, -EINVAL
}

// peer returns the address of a destination. The unspecified address becomes this machine's, if the system does not do
// that.
func (sa *Sockaddr) peer() (unix.Sockaddr, int32) {
	to, res := sa.native()
	if !wildcardIsHere {
		toHere(to)
	}
	return to, res
}

// toHere replaces the unspecified address by this machine's.
func toHere(to unix.Sockaddr) {
	switch to := to.(type) {
	case *unix.SockaddrInet4:
		if to.Addr == [4]byte{} {
			to.Addr = [4]byte{127, 0, 0, 1}
		}
	case *unix.SockaddrInet6:
		if to.Addr == [16]byte{} {
			to.Addr = [16]byte{15: 1}
		}
	}
}

// setNative copies an address of golang.org/x/sys.
func (sa *Sockaddr) setNative(from unix.Sockaddr) {
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		sa.Set(netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port)))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(from.Addr)
		if from.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(from.ZoneId), 10))
		}
		sa.Set(netip.AddrPortFrom(addr, uint16(from.Port)))
	case *unix.SockaddrUnix:
		sa.SetUnix(from.Name)
	default:
		*sa = Sockaddr{}
	}
}

// to returns the destination of a message, nil if it has none.
func (m *Msghdr) to() (unix.Sockaddr, int32) {
	if m.Name == nil || m.Namelen == 0 {
		return nil, 0
	}
	var sa Sockaddr
	sa.SetBytes(unsafe.Slice(m.Name, m.Namelen))
	return sa.peer()
}

// setName stores the sender of a message.
func (m *Msghdr) setName(sa *Sockaddr) {
	m.Namelen = uint32(copy(unsafe.Slice(m.Name, SockaddrSize), sa.Bytes()))
}

// control returns the message's control messages, or the room for them.
func (m *Msghdr) control() []byte { return unsafe.Slice(m.Control, m.Controllen) }

// buffers returns the message's bytes, or the room for them.
func (m *Msghdr) buffers() [][]byte { return buffers(unsafe.Slice(m.Iov, m.Iovlen)) }

// buffers returns the slices of a vector.
func buffers(vec []Iovec) [][]byte {
	bufs := make([][]byte, 0, len(vec))
	for _, v := range vec {
		if v.Len > 0 {
			bufs = append(bufs, unsafe.Slice(v.Base, v.Len))
		}
	}
	return bufs
}
