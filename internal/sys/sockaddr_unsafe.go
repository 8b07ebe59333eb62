package sys

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"
)

// Address families of the Linux ABI.
const (
	AFInet  = 2
	AFInet6 = 10
)

// Offsets and sizes of sockaddr_in and sockaddr_in6, see ip(7) and ipv6(7).
const (
	inetSize    = 16
	inet6Size   = 28
	offPort     = 2
	offAddr4    = 4
	offAddr6    = 8
	offScope    = 24
	storageSize = 112
)

// Sockaddr is memory for a socket address in the Linux ABI, which the kernel may
// read or fill while an op is in flight. Its zero value is an empty address.
type Sockaddr struct {
	raw [storageSize / 8]uint64 // words, for the alignment that the kernel expects
	len uint32
}

// Pointer gives the address and the length for a submission.
func (sa *Sockaddr) Pointer() (unsafe.Pointer, uint32) { return unsafe.Pointer(&sa.raw), sa.len }

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
	if index, err := strconv.ParseUint(ap.Addr().Zone(), 10, 32); err == nil {
		binary.NativeEndian.PutUint32(b[offScope:], uint32(index))
	}
	sa.len = inet6Size
}

// AddrPort decodes an IP address and port; the zero AddrPort for anything else.
func (sa *Sockaddr) AddrPort() netip.AddrPort {
	b := sa.bytes()
	port := binary.BigEndian.Uint16(b[offPort:])
	switch binary.NativeEndian.Uint16(b[:]) {
	case AFInet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[offAddr4:])), port)
	case AFInet6:
		addr := netip.AddrFrom16([16]byte(b[offAddr6:]))
		if scope := binary.NativeEndian.Uint32(b[offScope:]); scope != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}
