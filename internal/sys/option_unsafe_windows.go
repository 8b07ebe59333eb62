//go:build windows

package sys

import (
	"cmp"
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// An option is a socket option, by level and number: Linux's, or Windows'.
type option struct{ level, name int }

const (
	protoIP   = 0
	protoIPv6 = 41

	soReuseaddr = 2
	soSndbuf    = 7
	soRcvbuf    = 8
	soLinger    = 13
	soReuseport = 15
	soBroadcast = 6
	soKeepalive = 9
)

// options maps Linux's options to Windows', if they mean the same.
var options = map[option]option{
	{SolSocket, SoType}:      {windows.SOL_SOCKET, 0x1008},
	{SolSocket, 5}:           {windows.SOL_SOCKET, windows.SO_DONTROUTE},
	{SolSocket, soBroadcast}: {windows.SOL_SOCKET, windows.SO_BROADCAST},
	{SolSocket, soSndbuf}:    {windows.SOL_SOCKET, windows.SO_SNDBUF},
	{SolSocket, soRcvbuf}:    {windows.SOL_SOCKET, windows.SO_RCVBUF},
	{SolSocket, soKeepalive}: {windows.SOL_SOCKET, windows.SO_KEEPALIVE},
	{SolSocket, 10}:          {windows.SOL_SOCKET, 0x100}, // SO_OOBINLINE

	{ProtoTCP, 1}: {ProtoTCP, windows.TCP_NODELAY},
	{ProtoTCP, 2}: {ProtoTCP, windows.TCP_MAXSEG},
	{ProtoTCP, 4}: {ProtoTCP, windows.TCP_KEEPIDLE},
	{ProtoTCP, 5}: {ProtoTCP, windows.TCP_KEEPINTVL},
	{ProtoTCP, 6}: {ProtoTCP, windows.TCP_KEEPCNT},

	{protoIP, 1}:  {protoIP, 3}, // IP_TOS
	{protoIP, 2}:  {protoIP, 4}, // IP_TTL
	{protoIP, 32}: {protoIP, windows.IP_MULTICAST_IF},
	{protoIP, 33}: {protoIP, windows.IP_MULTICAST_TTL},
	{protoIP, 34}: {protoIP, windows.IP_MULTICAST_LOOP},
	{protoIP, 35}: {protoIP, windows.IP_ADD_MEMBERSHIP},
	{protoIP, 36}: {protoIP, windows.IP_DROP_MEMBERSHIP},

	{protoIPv6, 16}: {protoIPv6, windows.IPV6_UNICAST_HOPS},
	{protoIPv6, 17}: {protoIPv6, windows.IPV6_MULTICAST_IF},
	{protoIPv6, 18}: {protoIPv6, windows.IPV6_MULTICAST_HOPS},
	{protoIPv6, 19}: {protoIPv6, windows.IPV6_MULTICAST_LOOP},
	{protoIPv6, 20}: {protoIPv6, windows.IPV6_JOIN_GROUP},
	{protoIPv6, 21}: {protoIPv6, windows.IPV6_LEAVE_GROUP},
	{protoIPv6, 26}: {protoIPv6, windows.IPV6_V6ONLY},
}

// noOption is the result for an option that the system does not have.
var noOption = posix.Lack(ENOPROTOOPT)

// GetsockoptInt is getsockopt(2) of an int: it returns the value, and the negated errno or 0.
func GetsockoptInt(fd int32, level, name int) (value, res int32) {
	o, res := asSocket(fd)
	if res < 0 {
		return 0, res
	}
	defer o.done()
	return o.option(level, name)
}

func (o *open) option(level, name int) (value, res int32) {
	if level == SolSocket {
		if value, ok := o.known(name); ok {
			return value, 0
		}
		if name == SoError && o.mem == nil {
			return o.fault()
		}
	}
	if o.mem != nil {
		return o.mem.option(level, name)
	}
	own, ok := options[option{level, name}]
	if !ok {
		return 0, noOption
	}
	size := int32(4)
	err := windows.Getsockopt(o.handle, int32(own.level), int32(own.name), (*byte)(unsafe.Pointer(&value)), &size)
	if field, own := o.socket.probes.of(name); err == windows.WSAENOPROTOOPT && level == ProtoTCP && field != nil {
		return cmp.Or(field.Load(), own), 0
	}
	if err != nil {
		return 0, resultOf(err)
	}
	if size == 1 { // some are a BOOL of one byte
		value &= 0xff
	}
	return value, 0
}

// known returns the value of an option that is kept here.
func (o *open) known(name int) (value int32, ok bool) {
	s := o.socket
	switch name {
	case SoDomain:
		return s.domain, true
	case SoProtocol:
		return s.protocol, true
	case SoType:
		return s.kind, true
	case SoAcceptconn:
		return truth(s.listens.Load()), true
	case soReuseaddr:
		return truth(s.reuse.Load()), true
	case soReuseport:
		return truth(s.shares.Load()), true
	}
	return 0, false
}

func truth(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// fault is SO_ERROR: Linux's number for the error of the socket.
func (o *open) fault() (value, res int32) {
	size := int32(4)
	err := windows.Getsockopt(o.handle, windows.SOL_SOCKET, 0x1007, (*byte)(unsafe.Pointer(&value)), &size)
	if err != nil {
		return 0, resultOf(err)
	}
	if value == 0 {
		return 0, 0
	}
	o.socket.connecting.Store(false)
	return -posix.Result(windows.Errno(value)), 0
}

// SetsockoptInt is setsockopt(2) with an int. Windows itself allows addresses to be reused as far as Linux does with
// SO_REUSEADDR, while Windows' option of that name takes addresses away from others. So that option is only recorded.
func SetsockoptInt(fd int32, level, name, value int) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if level == SolSocket && name == soReuseaddr {
		o.socket.reuse.Store(value != 0)
		return 0
	}
	if level == SolSocket && name == soReuseport {
		o.socket.shares.Store(value != 0)
		o.share()
		return 0
	}
	own, ok := options[option{level, name}]
	switch {
	case o.mem != nil:
		return o.mem.setOption(level, name, int32(value))
	case !ok || level == SolSocket && name == SoType:
		return noOption
	}
	v := int32(value)
	err := windows.Setsockopt(o.handle, int32(own.level), int32(own.name), (*byte)(unsafe.Pointer(&v)), 4)
	if field, _ := o.socket.probes.of(name); err == windows.WSAENOPROTOOPT && level == ProtoTCP && field != nil {
		return o.setProbe(name, v)
	}
	if err == nil && level == SolSocket && name == soKeepalive && value != 0 {
		return o.applyProbes()
	}
	return failed(err)
}

// SetLinger sets SO_LINGER.
func SetLinger(fd int32, on bool, sec int) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if o.mem != nil {
		return 0 // the socket has nothing on its way
	}
	v := struct{ on, seconds uint16 }{seconds: uint16(min(max(sec, 0), 1<<16-1))}
	if on {
		v.on = 1
	}
	o.socket.lingers.Store(on && sec > 0)
	return failed(windows.Setsockopt(o.handle, windows.SOL_SOCKET, windows.SO_LINGER, (*byte)(unsafe.Pointer(&v)), 4))
}

// Getsockopt is getsockopt(2) into p. It returns the number of bytes.
func Getsockopt(fd int32, level, name int, p []byte) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if level == SolSocket && name == soLinger && len(p) >= 8 {
		var v struct{ on, seconds uint16 }
		size := int32(4)
		err := windows.Getsockopt(o.handle, windows.SOL_SOCKET, windows.SO_LINGER, (*byte)(unsafe.Pointer(&v)), &size)
		binary.NativeEndian.PutUint32(p, uint32(v.on))
		binary.NativeEndian.PutUint32(p[4:], uint32(v.seconds))
		return max(failed(err), 8*failed(err)+8)
	}
	if level == SolSocket && name == SoPeername {
		var sa Sockaddr
		if res := o.name(procGetpeername, &sa); res < 0 {
			return res
		}
		if len(p) > sa.Len() {
			return -EINVAL
		}
		return int32(copy(p, sa.Bytes()))
	}
	value, res := o.option(level, name)
	if res < 0 {
		return res
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(value))
	return int32(copy(p, b[:]))
}

// Setsockopt is setsockopt(2) with the bytes of p, for options with the same layout on Windows: groups to join, and
// addresses.
func Setsockopt(fd int32, level, name int, p []byte) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	own, ok := options[option{level, name}]
	if !ok {
		return noOption
	}
	if level == protoIP && len(p) == 12 { // struct ip_mreqn: Windows has only struct ip_mreq
		p = mreq(p)
	}
	return failed(windows.Setsockopt(o.handle, int32(own.level), int32(own.name), base(p), int32(len(p))))
}

// mreq converts a struct ip_mreqn to a struct ip_mreq, which names the interface by its address, or by its index in an
// address that begins with a zero.
func mreq(p []byte) []byte {
	var own [8]byte
	copy(own[:], p[:8])
	if index := binary.NativeEndian.Uint32(p[8:]); index != 0 {
		binary.BigEndian.PutUint32(own[4:], index)
	}
	return own[:]
}

// PeerCred is not supported.
func PeerCred(fd int32) (cred Ucred, res int32) { return Ucred{}, posix.Lack(EOPNOTSUPP) }

// A Filter is an instruction of a classic BPF program.
type Filter struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// SetsockoptFilter is not supported: no socket here takes programs.
func SetsockoptFilter(fd int32, level, name int, program []Filter) int32 { return noOption }
