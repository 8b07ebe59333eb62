//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// An option is a socket option, by Linux's numbers.
type option struct{ level, name int }

// A native is the system's counterpart of an option. octet: it is set as one byte. flag: it is on or off, but some
// systems return the bit that stands for it.
type native struct {
	level, name int
	octet, flag bool
}

// options has those that all systems here share, nativeOptions those of one system.
var options = map[option]native{
	{SolSocket, 2}:            {level: unix.SOL_SOCKET, name: unix.SO_REUSEADDR, flag: true},
	{SolSocket, SoType}:       {level: unix.SOL_SOCKET, name: unix.SO_TYPE},
	{SolSocket, SoError}:      {level: unix.SOL_SOCKET, name: unix.SO_ERROR},
	{SolSocket, 5}:            {level: unix.SOL_SOCKET, name: unix.SO_DONTROUTE, flag: true},
	{SolSocket, 6}:            {level: unix.SOL_SOCKET, name: unix.SO_BROADCAST, flag: true},
	{SolSocket, 7}:            {level: unix.SOL_SOCKET, name: unix.SO_SNDBUF},
	{SolSocket, 8}:            {level: unix.SOL_SOCKET, name: unix.SO_RCVBUF},
	{SolSocket, 9}:            {level: unix.SOL_SOCKET, name: unix.SO_KEEPALIVE, flag: true},
	{SolSocket, 10}:           {level: unix.SOL_SOCKET, name: unix.SO_OOBINLINE, flag: true},
	{SolSocket, 15}:           {level: unix.SOL_SOCKET, name: unix.SO_REUSEPORT, flag: true},
	{SolSocket, 18}:           {level: unix.SOL_SOCKET, name: unix.SO_RCVLOWAT},
	{SolSocket, SoAcceptconn}: {level: unix.SOL_SOCKET, name: unix.SO_ACCEPTCONN, flag: true},

	{ProtoTCP, 1}: {level: unix.IPPROTO_TCP, name: unix.TCP_NODELAY, flag: true},
	{ProtoTCP, 2}: {level: unix.IPPROTO_TCP, name: unix.TCP_MAXSEG},

	{protoIP, 1}:  {level: unix.IPPROTO_IP, name: unix.IP_TOS},
	{protoIP, 2}:  {level: unix.IPPROTO_IP, name: unix.IP_TTL},
	{protoIP, 33}: {level: unix.IPPROTO_IP, name: unix.IP_MULTICAST_TTL, octet: true},
	{protoIP, 34}: {level: unix.IPPROTO_IP, name: unix.IP_MULTICAST_LOOP, octet: true},
	{protoIP, 32}: {level: unix.IPPROTO_IP, name: unix.IP_MULTICAST_IF},
	{protoIP, 35}: {level: unix.IPPROTO_IP, name: unix.IP_ADD_MEMBERSHIP},
	{protoIP, 36}: {level: unix.IPPROTO_IP, name: unix.IP_DROP_MEMBERSHIP},

	{protoIPv6, 16}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_UNICAST_HOPS},
	{protoIPv6, 17}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_MULTICAST_IF},
	{protoIPv6, 18}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_MULTICAST_HOPS},
	{protoIPv6, 19}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_MULTICAST_LOOP},
	{protoIPv6, 20}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_JOIN_GROUP},
	{protoIPv6, 21}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_LEAVE_GROUP},
	{protoIPv6, 26}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_V6ONLY, flag: true},
	{protoIPv6, 49}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_RECVPKTINFO, flag: true},
	{protoIPv6, 51}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_RECVHOPLIMIT, flag: true},
	{protoIPv6, 66}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_RECVTCLASS, flag: true},
	{protoIPv6, 67}: {level: unix.IPPROTO_IPV6, name: unix.IPV6_TCLASS},
}

const (
	protoIP   = 0
	protoIPv6 = 41
)

// noOption is the result for an option that the system does not have.
var noOption = posix.Lack(ENOPROTOOPT)

func nativeOption(level, name int) (native, bool) {
	if n, ok := nativeOptions[option{level, name}]; ok {
		return n, true
	}
	n, ok := options[option{level, name}]
	return n, ok
}

// SetsockoptInt is setsockopt(2) with a number. Options that the tables lack are reported by posix.Lack.
func SetsockoptInt(fd int32, level, name, value int) int32 {
	o, ok := nativeOption(level, name)
	switch {
	case !ok:
		return noOption
	case o.octet:
		if value < 0 || value > 255 {
			return -EINVAL
		}
		return otherFamily(fd, level, done(unix.SetsockoptByte(int(fd), o.level, o.name, byte(value))))
	}
	res := done(unix.SetsockoptInt(int(fd), o.level, o.name, value))
	if res < 0 || !o.isReuse() || reuseShares {
		return otherFamily(fd, level, res)
	}
	return shareDatagrams(fd, value)
}

// isReuse reports whether o is SO_REUSEADDR.
func (o native) isReuse() bool { return o.level == unix.SOL_SOCKET && o.name == unix.SO_REUSEADDR }

// shareDatagrams makes a datagram socket share its address, as SO_REUSEADDR does on Linux: see sockopt_bsd.go in
// package net.
func shareDatagrams(fd int32, value int) int32 {
	kind, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return done(err)
	}
	return done(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value))
}

// SetLinger sets SO_LINGER.
func SetLinger(fd int32, on bool, sec int) int32 {
	v := unix.Linger{Linger: int32(sec)}
	if on {
		v.Onoff = 1
	}
	return done(unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, soLinger, &v))
}

// GetsockoptInt is getsockopt(2) of a number: it returns the value, and the negated errno or 0.
func GetsockoptInt(fd int32, level, name int) (value, res int32) {
	o, ok := nativeOption(level, name)
	if !ok {
		if level == SolSocket && (name == SoDomain || name == SoProtocol) {
			return sort(fd, name)
		}
		return 0, noOption
	}
	n, err := unix.GetsockoptInt(int(fd), o.level, o.name)
	if err != nil {
		return 0, failed(err)
	}
	if level == SolSocket && name == SoError && n != 0 {
		return -failed(unix.Errno(n)), 0
	}
	return o.told(n), 0
}

// told converts a value that the system returned to Linux's.
func (o native) told(n int) int32 {
	switch {
	case o.octet:
		return int32(n & 0xff) // the system has written one byte, the lowest of the int on a little-endian machine
	case o.flag && n != 0:
		return 1
	}
	return int32(n)
}

// sort finds out the domain or the protocol of a socket that can't be asked for it: from its name and its type.
func sort(fd int32, name int) (value, res int32) {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return 0, failed(err)
	}
	domain := int32(AFUnix)
	switch sa.(type) {
	case *unix.SockaddrInet4:
		domain = AFInet
	case *unix.SockaddrInet6:
		domain = AFInet6
	}
	if name == SoDomain {
		return domain, 0
	}
	kind, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case err != nil:
		return 0, failed(err)
	case domain != AFUnix && kind == SockStream:
		return ProtoTCP, 0
	case domain != AFUnix && kind == SockDgram:
		return ProtoUDP, 0
	}
	return 0, 0
}

// Getsockopt is getsockopt(2) into p, for options that are a number, and those that another function here asks for.
func Getsockopt(fd int32, level, name int, p []byte) int32 {
	switch (option{level, name}) {
	case option{SolSocket, SoPeerCred}:
		cred, res := PeerCred(fd)
		if res < 0 {
			return res
		}
		return words(p, uint32(cred.PID), cred.UID, cred.GID)
	case option{SolSocket, SoPeername}:
		var sa Sockaddr
		if res := Getpeername(fd, &sa); res < 0 {
			return res
		}
		if len(p) > sa.Len() {
			return -EINVAL
		}
		return int32(copy(p, sa.Bytes()))
	case option{SolSocket, soLingerLinux}:
		l, err := unix.GetsockoptLinger(int(fd), unix.SOL_SOCKET, soLinger)
		if err != nil {
			return failed(err)
		}
		return words(p, uint32(native{flag: true}.told(int(l.Onoff))), uint32(l.Linger))
	}
	value, res := GetsockoptInt(fd, level, name)
	if res < 0 {
		return res
	}
	return words(p, uint32(value))
}

const soLingerLinux = 13

// words stores words in p, as many bytes of them as there is room for.
func words(p []byte, values ...uint32) int32 {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return int32(copy(p, b))
}

// Setsockopt is setsockopt(2) with the bytes of p.
func Setsockopt(fd int32, level, name int, p []byte) int32 {
	o, ok := nativeOption(level, name)
	if !ok {
		return noOption
	}
	if level == protoIP && len(p) == 12 && !takesIndex {
		var res int32
		if p, res = byAddress(o.name, p); res < 0 {
			return res
		}
	}
	return otherFamily(fd, level, done(unix.SetsockoptString(int(fd), o.level, o.name, string(p))))
}

// byAddress converts a struct ip_mreqn to the struct ip_mreq, or the address, that the option takes: the interface is
// given by its first IPv4 address.
func byAddress(name int, mreqn []byte) (p []byte, res int32) {
	p = append(p, mreqn[:8]...)
	if index := binary.NativeEndian.Uint32(mreqn[8:]); index != 0 {
		ifi, err := net.InterfaceByIndex(int(index))
		if err != nil {
			return nil, -ENODEV
		}
		four := firstOfFour(ifi)
		if four == nil {
			return nil, -EADDRNOTAVAIL
		}
		copy(p[4:], four)
	}
	if name == unix.IP_MULTICAST_IF {
		p = p[4:]
	}
	return p, 0
}

// firstOfFour returns an interface's first IPv4 address, or nil.
func firstOfFour(ifi *net.Interface) net.IP {
	all, _ := ifi.Addrs()
	for _, one := range all {
		if n, ok := one.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.To4()
		}
	}
	return nil
}

// otherFamily returns the result of setting an option. Only Linux lets an IPv6 socket have IPv4 options; some systems
// report their lack as an invalid value.
func otherFamily(fd int32, level int, res int32) int32 {
	if res != -EINVAL || level != protoIP {
		return res
	}
	if sa, err := unix.Getsockname(int(fd)); err == nil {
		if _, six := sa.(*unix.SockaddrInet6); six && !mixesFamilies {
			return -ENOPROTOOPT
		}
	}
	return res
}

// A Filter is an instruction of a classic BPF program, which is Linux's.
type Filter struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// SetsockoptFilter exists on Linux only.
func SetsockoptFilter(fd int32, level, name int, program []Filter) int32 { return noOption }
