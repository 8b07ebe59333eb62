package proxyproto

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// The two bytes after the signature: version and command, then address family and socket type.
const (
	v2Local = 0x20
	v2Proxy = 0x21

	v2Unspecified = 0x00
	v2TCP4        = 0x11
	v2TCP6        = 0x21
	v2Unix        = 0x31
)

// unixLen is the length of a Unix socket's name in a header.
const unixLen = 108

// parseV2 is Parse for version 2.
func parseV2(p []byte) (h Header, size int, err error) {
	if len(p) < v2Head {
		return h, v2Head, nil
	}
	size = v2Head + int(binary.BigEndian.Uint16(p[14:]))
	switch command := p[12]; {
	case command != v2Local && command != v2Proxy:
		return h, 0, invalid("version and command %#x", command)
	case size > V2Max:
		return h, 0, ErrTooLong
	case len(p) < size:
		return h, size, nil
	case command == v2Local:
		return h, size, nil // whatever follows
	}
	h, err = parseV2Addrs(p[13], p[v2Head:size])
	if err != nil {
		return h, 0, err
	}
	return h, size, nil
}

// parseV2Addrs parses the two addresses of a family that p begins with.
func parseV2Addrs(family byte, p []byte) (Header, error) {
	n := 0 // bytes of an address
	switch family {
	case v2Unspecified:
		return Header{}, nil
	case v2TCP4:
		n = 4
	case v2TCP6:
		n = 16
	case v2Unix:
		if len(p) < 2*unixLen {
			return Header{}, invalid("%d bytes of addresses", len(p))
		}
		return Header{unixAddr(p[:unixLen]), unixAddr(p[unixLen : 2*unixLen])}, nil
	default:
		return Header{}, invalid("family and kind %#x", family)
	}
	if len(p) < 2*n+4 {
		return Header{}, invalid("%d bytes of addresses", len(p))
	}
	addr := func(ip, port []byte) net.Addr {
		a, _ := netip.AddrFromSlice(ip)
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, binary.BigEndian.Uint16(port)))
	}
	return Header{addr(p[:n], p[2*n:]), addr(p[n:2*n], p[2*n+2:])}, nil
}

// unixAddr returns the address for a name as the kernel has it, which ends at a zero byte. An abstract name begins with
// one; package net writes @ for it.
func unixAddr(p []byte) net.Addr {
	prefix := ""
	switch {
	case p[0] == 0 && p[1] != 0:
		prefix, p = "@", p[1:]
	case p[0] == '@':
		prefix = "./" // the name of a file, not an abstract one
	}
	name, _, _ := bytes.Cut(p, []byte{0})
	return &net.UnixAddr{Name: prefix + string(name), Net: "unix"}
}

// AppendV2 appends the header in version 2.
func (h Header) AppendV2(b []byte) []byte {
	source, dest, ok := h.ips()
	switch {
	case ok && source.Addr().Is4():
		b = appendV2Head(b, v2Proxy, v2TCP4, 2*4+4)
	case ok:
		b = appendV2Head(b, v2Proxy, v2TCP6, 2*16+4)
	case h.Source == nil || h.Dest == nil:
		return appendV2Head(b, v2Local, v2Unspecified, 0)
	default:
		return h.appendUnix(b)
	}
	b = append(append(b, source.Addr().AsSlice()...), dest.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, source.Port()), dest.Port())
}

// appendUnix is AppendV2 for addresses that are not IP. Names that don't fit, or other kinds, become unspecified.
func (h Header) appendUnix(b []byte) []byte {
	source, isUnix := h.Source.(*net.UnixAddr)
	dest, alsoUnix := h.Dest.(*net.UnixAddr)
	if !isUnix || !alsoUnix || len(source.Name) > unixLen || len(dest.Name) > unixLen {
		return appendV2Head(b, v2Proxy, v2Unspecified, 0)
	}
	b = appendV2Head(b, v2Proxy, v2Unix, 2*unixLen)
	for _, a := range []*net.UnixAddr{source, dest} {
		var name [unixLen]byte
		copy(name[:], a.Name)
		if name[0] == '@' {
			name[0] = 0
		}
		b = append(b, name[:]...)
	}
	return b
}

func appendV2Head(b []byte, command, family byte, size uint16) []byte {
	return binary.BigEndian.AppendUint16(append(append(b, v2Signature...), command, family), size)
}
