package sys

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"
)

// Address families of the Linux ABI.
const (
	AFUnspec = 0
	AFUnix   = 1
	AFInet   = 2
	AFInet6  = 10
)

// Offsets and sizes of sockaddr_in and sockaddr_in6, see ip(7) and ipv6(7).
const (
	familySize  = 2
	inetSize    = 16
	inet6Size   = 28
	offPort     = 2
	offAddr4    = 4
	offAddr6    = 8
	offScope    = 24
	storageSize = 112
)

// Sockaddr is memory for a socket address in the Linux ABI, which the kernel may read or fill while an op is in
// flight. Its zero value is an empty address.
type Sockaddr struct {
	raw [storageSize / 8]uint64 // words, for the alignment that the kernel expects
	len uint32
}

// SockaddrSize is the size of a Sockaddr's memory: enough for each of the three families, and for the longest Unix
// name that the kernel reports.
const SockaddrSize = storageSize

// Pointer returns the address and the length for a submission.
func (sa *Sockaddr) Pointer() (unsafe.Pointer, uint32) { return unsafe.Pointer(&sa.raw), sa.len }

// Base returns where the kernel writes an address, with room for SockaddrSize bytes. Afterwards the caller passes the
// length to SetLen.
func (sa *Sockaddr) Base() *byte { return (*byte)(unsafe.Pointer(&sa.raw)) }

// SetLen sets the length that the kernel has written. It may be more than there was room for, which means that the
// address was truncated.
func (sa *Sockaddr) SetLen(n uint32) { sa.len = min(n, storageSize) }

// Len returns the length of the address in bytes, 0 if there is none, as for a datagram from a Unix socket without a
// name.
func (sa *Sockaddr) Len() int { return int(sa.len) }

// Family returns the address family, AFUnspec for an empty address.
func (sa *Sockaddr) Family() int {
	if sa.len < familySize {
		return AFUnspec
	}
	return int(binary.NativeEndian.Uint16(sa.bytes()[:]))
}

// SetBytes copies an address in the kernel's layout, as a multishot recvmsg returns it. Longer bytes than any address
// are truncated.
func (sa *Sockaddr) SetBytes(b []byte) {
	*sa = Sockaddr{}
	sa.len = uint32(copy(sa.bytes()[:], b))
}

// Bytes returns the address in the kernel's layout: memory of sa, not a copy.
func (sa *Sockaddr) Bytes() []byte { return sa.bytes()[:sa.len] }

// SetUnspec makes sa the address with which connect(2) dissolves a connection.
func (sa *Sockaddr) SetUnspec() {
	*sa = Sockaddr{}
	sa.len = inetSize
}

func (sa *Sockaddr) bytes() *[storageSize]byte { return (*[storageSize]byte)(unsafe.Pointer(&sa.raw)) }

// Set encodes an IP address and port. An IPv4-mapped IPv6 address stays IPv6.
// A zone is an interface's index in decimal; other zones are dropped, so the
// caller resolves names first.
func (sa *Sockaddr) Set(ap netip.AddrPort) {
	*sa = Sockaddr{}
	b := sa.bytes()
	binary.BigEndian.PutUint16(b[offPort:], ap.Port())
	if ap.Addr().Is4() {
		binary.NativeEndian.PutUint16(b[:], AFInet)
		a := ap.Addr().As4()
		copy(b[offAddr4:], a[:])
		sa.len = inetSize
		return
	}
	binary.NativeEndian.PutUint16(b[:], AFInet6)
	a := ap.Addr().As16()
	copy(b[offAddr6:], a[:])
	if zone := ap.Addr().Zone(); zone != "" { // parsing an empty zone would allocate an error
		if index, err := strconv.ParseUint(zone, 10, 32); err == nil {
			binary.NativeEndian.PutUint32(b[offScope:], uint32(index))
		}
	}
	sa.len = inet6Size
}

// AddrPort decodes an IP address and port. It returns the zero AddrPort for other families, and for a truncated
// address. A zone is the interface's index in decimal.
func (sa *Sockaddr) AddrPort() netip.AddrPort {
	b := sa.bytes()
	port := binary.BigEndian.Uint16(b[offPort:])
	switch family := sa.Family(); {
	case family == AFInet && sa.len >= inetSize:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[offAddr4:])), port)
	case family == AFInet6 && sa.len >= inet6Size:
		addr := netip.AddrFrom16([16]byte(b[offAddr6:]))
		if scope := sa.Scope(); scope != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// Scope returns the interface index of an IPv6 address, 0 if it has none.
func (sa *Sockaddr) Scope() uint32 {
	if sa.Family() != AFInet6 || sa.len < inet6Size {
		return 0
	}
	return binary.NativeEndian.Uint32(sa.bytes()[offScope:])
}
