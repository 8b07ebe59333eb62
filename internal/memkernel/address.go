//go:build linux

package memkernel

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

// portKey is a port of a protocol.
type portKey struct {
	kind int
	port uint16
}

// binding is the sockets that have one port.
type binding struct {
	key     portKey
	sockets []*socket
	turn    int // of those that share the port, who gets the next connection
}

// The range of ports that the kernel picks from: ip_local_port_range.
const (
	ephemeralFrom = 32768
	ephemeralTo   = 60999
)

// Bind gives a socket an address.
func (h *Host) Bind(fd int32, to *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	if s.family == sys.AFUnix {
		return s.bindName(to)
	}
	at := to.AddrPort()
	switch {
	case s.bound != nil, s.state != fresh:
		return -sys.EINVAL
	case !at.IsValid():
		return -sys.EINVAL
	case at.Addr().Is4() != (s.family == sys.AFInet):
		return -int32(unix.EAFNOSUPPORT)
	case !h.has(at.Addr()):
		return -sys.EADDRNOTAVAIL
	case at.Port() > 0 && at.Port() < 1024:
		return -sys.EACCES
	}
	s.local = at
	if at.Port() == 0 {
		return s.bindFree()
	}
	return s.bind(at.Port())
}

// has reports whether an address is the host's, or stands for all.
func (h *Host) has(ip netip.Addr) bool {
	if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() {
		return true
	}
	for _, own := range h.ips {
		if own == ip.WithZone("") {
			return true
		}
	}
	return false
}

// bind takes a port, if nobody has it who does not share it.
func (s *socket) bind(port uint16) int32 {
	key := portKey{s.kind, port}
	b := s.h.ports[key]
	if b == nil {
		b = &binding{key: key}
		s.h.ports[key] = b
	}
	for _, o := range b.sockets {
		if s.collides(o) {
			return -sys.EADDRINUSE
		}
	}
	b.sockets = append(b.sockets, s)
	s.bound = b
	ip := s.local.Addr()
	if !ip.IsValid() {
		if ip = netip.IPv4Unspecified(); s.family == sys.AFInet6 {
			ip = netip.IPv6Unspecified()
		}
	}
	s.local = netip.AddrPortFrom(ip, port)
	return 0
}

// collides reports whether another socket on the port keeps s from it.
func (s *socket) collides(o *socket) bool {
	if !overlap(s, o) {
		return false
	}
	reuse := func(s *socket) bool { return s.options[option{sys.SolSocket, unix.SO_REUSEADDR}] != 0 }
	share := func(s *socket) bool { return s.options[option{sys.SolSocket, unix.SO_REUSEPORT}] != 0 }
	if share(s) && share(o) {
		return false
	}
	return !(reuse(s) && reuse(o) && (s.kind == sys.SockDgram || o.state != listening))
}

// overlap reports whether some address is both sockets'.
func overlap(a, b *socket) bool {
	x, y := a.local.Addr(), b.local.Addr()
	only6 := func(s *socket) bool { return s.options[option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}] != 0 }
	if a.family != b.family {
		six := a
		if b.family == sys.AFInet6 {
			six = b
		}
		if only6(six) || !six.local.Addr().IsUnspecified() && !six.local.Addr().Is4In6() {
			return false
		}
	}
	return !x.IsValid() || !y.IsValid() || x.IsUnspecified() || y.IsUnspecified() || x.Unmap() == y.Unmap()
}

// mayListen reports whether no other socket listens where s is to.
func (b *binding) mayListen(s *socket) bool {
	for _, o := range b.sockets {
		if o != s && o.state == listening && s.collides(o) {
			return false
		}
	}
	return true
}

// bindFree takes a port that nobody has.
func (s *socket) bindFree() int32 {
	for range ephemeralTo - ephemeralFrom + 1 {
		port := s.h.next
		if s.h.next++; s.h.next > ephemeralTo {
			s.h.next = ephemeralFrom
		}
		if b := s.h.ports[portKey{s.kind, port}]; b == nil || len(b.sockets) == 0 {
			return s.bind(port)
		}
	}
	return -sys.EADDRINUSE
}

func (s *socket) unbind() {
	if b := s.bound; b != nil {
		for i, o := range b.sockets {
			if o == s {
				b.sockets = append(b.sockets[:i:i], b.sockets[i+1:]...)
				break
			}
		}
		if len(b.sockets) == 0 {
			delete(s.h.ports, b.key)
		}
		s.bound = nil
	}
	if s.file != nil && s.file.socket == s {
		s.file.socket = nil
		if s.name != "" && s.name[0] == 0 {
			delete(s.h.names, s.name)
		}
	}
	s.file = nil
}

// listener is who takes connections to an address; those that share it take turns.
func (h *Host) listener(at netip.AddrPort) *socket {
	b := h.ports[portKey{sys.SockStream, at.Port()}]
	if b == nil {
		return nil
	}
	var exact, any []*socket
	for _, s := range b.sockets {
		ip := s.local.Addr()
		switch {
		case s.state != listening:
		case ip.Unmap() == at.Addr().Unmap():
			exact = append(exact, s)
		case ip.IsUnspecified() && (ip.Is4() == at.Addr().Unmap().Is4() || ip.Is6() &&
			s.options[option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}] == 0):
			any = append(any, s)
		}
	}
	if len(exact) > 0 {
		any = exact
	}
	if len(any) == 0 {
		return nil
	}
	b.turn++
	return any[b.turn%len(any)]
}

// resolved is a destination whose unspecified address stands for the host itself.
func (s *socket) resolved(at netip.AddrPort) netip.AddrPort {
	if !at.Addr().IsUnspecified() {
		return at
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if at.Addr().Is6() {
		ip = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(ip, at.Port())
}

// sourceFor is the host's address for a destination.
func (s *socket) sourceFor(to netip.Addr) netip.Addr {
	if to.Unmap().IsLoopback() || s.h.net.hostOf(s.h, to) == s.h {
		return to
	}
	for _, ip := range s.h.ips {
		if ip.Is4() == to.Unmap().Is4() {
			if to.Is4In6() {
				return netip.AddrFrom16(ip.As16())
			}
			return ip
		}
	}
	if to.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// unixName is a name of a Unix socket, and who has it.
type unixName struct{ socket *socket }

// unixNameOf is the name in an address, as the kernel has it; false if it has none.
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

// setUnixName puts a name into an address.
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

// named is the socket that has a name.
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
		return -int32(unix.EPROTOTYPE)
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

// Connect is for sockets of datagrams, and undoes connections.
func (h *Host) Connect(fd int32, to *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	return s.connect(to)
}

// Getsockname is the socket's own address.
func (h *Host) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	if s.family == sys.AFUnix {
		setUnixName(sa, s.name)
		return 0
	}
	at := s.local
	if !at.IsValid() {
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if s.family == sys.AFInet6 {
			at = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	sa.Set(at)
	return 0
}

// Getpeername is the peer's address.
func (h *Host) Getpeername(fd int32, sa *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	switch {
	case res < 0:
		return res
	case s.family == sys.AFUnix:
		if s.peer == nil {
			return -sys.ENOTCONN
		}
		setUnixName(sa, s.peerName)
		return 0
	case s.kind == sys.SockStream && s.state != connected, !s.remote.IsValid():
		return -sys.ENOTCONN
	}
	sa.Set(s.remote)
	return 0
}

// option is a level and a name.
type option struct{ level, name int }

// known are the options that sockets have, with what they are at first.
var known = map[option]int{
	{sys.SolSocket, unix.SO_REUSEADDR}: 0, {sys.SolSocket, unix.SO_REUSEPORT}: 0, {sys.SolSocket, unix.SO_KEEPALIVE}: 0,
	{sys.SolSocket, unix.SO_BROADCAST}: 0, {sys.SolSocket, unix.SO_SNDBUF}: sendSpace,
	{sys.SolSocket, unix.SO_RCVBUF}: receiveSpace, {sys.SolSocket, unix.SO_RCVLOWAT}: 1,
	{sys.SolSocket, unix.SO_PASSCRED}: 0, {sys.SolSocket, unix.SO_TIMESTAMPNS}: 0, {sys.SolSocket, unix.SO_MARK}: 0,
	{sys.SolSocket, unix.SO_PRIORITY}: 0, {sys.SolSocket, unix.SO_RXQ_OVFL}: 0, {sys.SolSocket, unix.SO_BUSY_POLL}: 0,
	{sys.SolSocket, unix.SO_ZEROCOPY}: 0, {sys.SolSocket, unix.SO_INCOMING_CPU}: 0,
	{sys.ProtoTCP, unix.TCP_NODELAY}: 0, {sys.ProtoTCP, unix.TCP_CORK}: 0, {sys.ProtoTCP, unix.TCP_KEEPIDLE}: 7200,
	{sys.ProtoTCP, unix.TCP_KEEPINTVL}: 75, {sys.ProtoTCP, unix.TCP_KEEPCNT}: 9, {sys.ProtoTCP, unix.TCP_QUICKACK}: 1,
	{sys.ProtoTCP, unix.TCP_USER_TIMEOUT}: 0, {sys.ProtoTCP, unix.TCP_DEFER_ACCEPT}: 0,
	{sys.ProtoTCP, unix.TCP_FASTOPEN}: 0, {sys.ProtoTCP, unix.TCP_NOTSENT_LOWAT}: 0,
	{sys.ProtoTCP, unix.TCP_MAXSEG}:       1460,
	{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}: 0, {cmsg.LevelIP, unix.IP_TOS}: 0, {cmsg.LevelIP, unix.IP_TTL}: 64,
	{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}: 0, {unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS}: 64,
	{cmsg.LevelIP, unix.IP_MULTICAST_TTL}: 1, {cmsg.LevelIP, unix.IP_MULTICAST_LOOP}: 1,
	{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS}: 1, {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP}: 1,
}

// optionOr is an option's value, or what it is at first.
func (s *socket) optionOr(level, name, first int) int {
	if v, ok := s.options[option{level, name}]; ok {
		return v
	}
	return first
}

// Getsockopt is an option that is a number.
func (h *Host) Getsockopt(fd int32, level, name int) (value, res int32) {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return 0, res
	}
	if level == sys.SolSocket {
		switch name {
		case sys.SoType:
			return int32(s.kind), 0
		case sys.SoError:
			return s.takeErr(), 0
		case sys.SoDomain:
			return int32(s.family), 0
		case sys.SoProtocol:
			return int32(s.protocol), 0
		case sys.SoAcceptconn:
			if s.state == listening {
				return 1, 0
			}
			return 0, 0
		}
	}
	first, ok := known[option{level, name}]
	if !ok || level == sys.ProtoTCP && s.protocol != sys.ProtoTCP {
		return 0, -int32(unix.ENOPROTOOPT)
	}
	return int32(s.optionOr(level, name, first)), 0
}

// Setsockopt sets one.
func (h *Host) Setsockopt(fd int32, level, name, value int) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	if _, ok := known[option{level, name}]; !ok || level == sys.ProtoTCP && s.protocol != sys.ProtoTCP {
		return -int32(unix.ENOPROTOOPT)
	}
	if level == sys.SolSocket && (name == unix.SO_SNDBUF || name == unix.SO_RCVBUF) {
		value = min(max(2*value, 4608), 2*sendSpace) // as the kernel doubles it
	}
	s.options[option{level, name}] = value
	return 0
}

// GetsockoptBytes puts an option into p.
func (h *Host) GetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	var b []byte
	switch {
	case level == sys.SolSocket && name == unix.SO_LINGER:
		on := uint32(0)
		if s.linger >= 0 {
			on = 1
		}
		b = binary.NativeEndian.AppendUint32(b, on)
		b = binary.NativeEndian.AppendUint32(b, uint32(max(s.linger, 0)))
	case level == sys.SolSocket && name == sys.SoPeerCred:
		if s.family != sys.AFUnix {
			return -int32(unix.ENOPROTOOPT)
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(s.cred.PID))
		b = binary.NativeEndian.AppendUint32(b, s.cred.UID)
		b = binary.NativeEndian.AppendUint32(b, s.cred.GID)
	case level == sys.SolSocket && name == sys.SoMeminfo:
		b = make([]byte, 9*4)
		binary.NativeEndian.PutUint32(b[4:], uint32(s.rcvbuf()))
		binary.NativeEndian.PutUint32(b[12:], uint32(s.sndbuf()))
	default:
		v, res := h.Getsockopt(fd, level, name)
		if res < 0 {
			return res
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return int32(copy(p, b))
}

// SetsockoptBytes sets an option to bytes.
func (h *Host) SetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	join := level == cmsg.LevelIP && name == unix.IP_ADD_MEMBERSHIP || level == unix.IPPROTO_IPV6 &&
		name == unix.IPV6_ADD_MEMBERSHIP
	leave := level == cmsg.LevelIP && name == unix.IP_DROP_MEMBERSHIP || level == unix.IPPROTO_IPV6 &&
		name == unix.IPV6_DROP_MEMBERSHIP
	switch group := string(p[:min(len(p), 4*4)]); {
	case (join || leave) && s.kind != sys.SockDgram:
		return -int32(unix.ENOPROTOOPT)
	case join && s.groups[group]:
		return -sys.EADDRINUSE
	case join:
		if s.groups == nil {
			s.groups = map[string]bool{}
		}
		s.groups[group] = true
		return 0
	case leave && !s.groups[group]:
		return -sys.EADDRNOTAVAIL
	case leave:
		delete(s.groups, group)
		return 0
	}
	if len(p) != 4 {
		return -int32(unix.ENOPROTOOPT)
	}
	return h.Setsockopt(fd, level, name, int(int32(binary.NativeEndian.Uint32(p))))
}

// SetLinger makes the end of a connection wait, or abort it with 0.
func (h *Host) SetLinger(fd int32, seconds int) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	s.linger = max(seconds, -1)
	return 0
}
