//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// nativeFamily is the system's number for an address family.
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

// native is the address as golang.org/x/sys has it.
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

// peer is the address of who is sent to: for all addresses this machine's, where the system does not take it so.
func (sa *Sockaddr) peer() (unix.Sockaddr, int32) {
	to, res := sa.native()
	if !wildcardIsHere {
		toHere(to)
	}
	return to, res
}

// toHere makes all addresses the one of this machine.
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

// setNative takes an address over.
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

// to is where a message is sent, nil for nowhere in particular.
func (m *Msghdr) to() (unix.Sockaddr, int32) {
	if m.Name == nil || m.Namelen == 0 {
		return nil, 0
	}
	var sa Sockaddr
	sa.SetBytes(unsafe.Slice(m.Name, m.Namelen))
	return sa.peer()
}

// setName says from where a message came.
func (m *Msghdr) setName(sa *Sockaddr) {
	m.Namelen = uint32(copy(unsafe.Slice(m.Name, SockaddrSize), sa.Bytes()))
}

// control is the message's control messages, or the room for them.
func (m *Msghdr) control() []byte { return unsafe.Slice(m.Control, m.Controllen) }

// buffers are the message's bytes, or the room for them.
func (m *Msghdr) buffers() [][]byte { return buffers(unsafe.Slice(m.Iov, m.Iovlen)) }

// buffers are the slices of a vector.
func buffers(vec []Iovec) [][]byte {
	bufs := make([][]byte, 0, len(vec))
	for _, v := range vec {
		if v.Len > 0 {
			bufs = append(bufs, unsafe.Slice(v.Base, v.Len))
		}
	}
	return bufs
}
