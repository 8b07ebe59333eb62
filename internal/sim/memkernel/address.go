package memkernel

import (
	"net/netip"

	"ringo/internal/sys"
)

// The range of ports from which the kernel chooses: ip_local_port_range.
const (
	ephemeralFrom = 32768
	ephemeralTo   = 60999
)

// Bind gives a socket an address.
func (h *Host) Bind(fd int32, to *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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
		return -int32(sys.EAFNOSUPPORT)
	case !h.has(at.Addr()):
		return -sys.EADDRNOTAVAIL
	case at.Port() > 0 && at.Port() < 1024:
		return -sys.EACCES
	}
	s.local = at
	if at.Port() == 0 {
		return s.bindFree()
	}
	res = s.bind(at.Port())
	s.numbered = res == 0
	return res
}

// has reports whether an address is the host's, or means all addresses.
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

// bind takes a port, unless a socket that does not share it has it.
func (s *socket) bind(port uint16) int32 {
	if s.h.hasPort(portKey{s.kind, port}, s.collides) {
		return -sys.EADDRINUSE
	}
	return s.hold(port)
}

// hold takes a port that the socket may have.
func (s *socket) hold(port uint16) int32 {
	key := portKey{s.kind, port}
	b := s.h.ports[key]
	if b == nil {
		b = &binding{key: key}
		s.h.ports[key] = b
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

// collides reports whether another socket on the port excludes s.
func (s *socket) collides(o *socket) bool {
	if !overlap(s, o) {
		return false
	}
	share := func(s *socket) bool { return s.isOn(sys.SolSocket, sys.SoReuseport) }
	if share(s) && share(o) {
		return false
	}
	return !(s.reuses() && o.reuses() && (s.kind == sys.SockDgram || o.state != listening))
}

// overlap reports whether both sockets have some address in common.
func overlap(a, b *socket) bool {
	x, y := a.local.Addr(), b.local.Addr()
	only6 := func(s *socket) bool { return s.isOn(sys.ProtoIPv6, sys.IPv6Only) }
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

// mayListen reports whether no other socket listens at s's address.
func (b *binding) mayListen(s *socket) bool {
	for _, o := range b.sockets {
		if o != s && o.state == listening && s.collides(o) {
			return false
		}
	}
	return true
}

// bindFree takes a port that no socket has.
func (s *socket) bindFree() int32 {
	return s.pickPort(func(port uint16) bool {
		key := portKey{s.kind, port}
		return s.h.portOf(key) == nil && !s.h.hasPort(key, func(o *socket) bool { return overlap(s, o) })
	})
}

// pickPort takes a port for which may returns true.
func (s *socket) pickPort(may func(port uint16) bool) int32 {
	for range s.h.ephemeral {
		port := s.h.next
		if s.h.next++; int(s.h.next) >= ephemeralFrom+s.h.ephemeral {
			s.h.next = ephemeralFrom
		}
		if may(port) {
			return s.hold(port)
		}
	}
	return -sys.EADDRINUSE
}

// bindFor gives the socket the host's address for a destination, and a port if it has none.
func (s *socket) bindFor(to netip.Addr) int32 {
	if s.bound == nil {
		if res := s.bindFree(); res < 0 {
			return res
		}
	}
	if s.local.Addr().IsUnspecified() {
		s.local = netip.AddrPortFrom(s.sourceFor(to), s.local.Port())
	}
	return 0
}

// unname frees the name of a Unix socket.
func (s *socket) unname() {
	if s.file != nil && s.file.socket == s {
		s.file.socket = nil
		if s.name != "" && s.name[0] == 0 {
			delete(s.h.names, s.name)
		}
	}
	s.file = nil
}

// listener returns the socket that gets the next connection to an address; sockets that share it take turns.
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
			!s.isOn(sys.ProtoIPv6, sys.IPv6Only)):
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

// resolved returns a destination in which the unspecified address is replaced by the host's own.
func (s *socket) resolved(at netip.AddrPort) netip.AddrPort {
	if !at.Addr().IsUnspecified() {
		return at
	}
	ip := loopback4
	if at.Addr().Is6() {
		ip = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(ip, at.Port())
}

var loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// sourceFor returns the host's address for a destination.
func (s *socket) sourceFor(to netip.Addr) netip.Addr {
	switch {
	case to.Unmap().Is4() && to.Unmap().IsLoopback(): // all of 127.0.0.0/8 is reached from 127.0.0.1
		if to.Is4In6() {
			return netip.AddrFrom16(loopback4.As16())
		}
		return loopback4
	case s.h.net.hostOf(s.h, to) == s.h:
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
		return loopback4
	}
	return netip.IPv6Loopback()
}

// Getsockname returns the socket's own address.
func (h *Host) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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

// Getpeername returns the peer's address.
func (h *Host) Getpeername(fd int32, sa *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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
