package memkernel

import (
	"encoding/binary"
	"math"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

// option identifies a socket option by level and name.
type option struct{ level, name int }

// known has the options of sockets, with their initial values.
var known = map[option]int{
	{sys.SolSocket, sys.SoReuseaddr}: 0, {sys.SolSocket, sys.SoReuseport}: 0, {sys.SolSocket, sys.SoKeepalive}: 0,
	{sys.SolSocket, sys.SoBroadcast}: 0, {sys.SolSocket, sys.SoSndbuf}: sendSpace,
	{sys.SolSocket, sys.SoRcvbuf}: receiveSpace, {sys.SolSocket, sys.SoRcvlowat}: 1,
	{sys.SolSocket, sys.SoPasscred}: 0, {sys.SolSocket, sys.SoTimestampns}: 0, {sys.SolSocket, sys.SoMark}: 0,
	{sys.SolSocket, sys.SoPriority}: 0, {sys.SolSocket, sys.SoRxqOvfl}: 0, {sys.SolSocket, sys.SoBusyPoll}: 0,
	{sys.SolSocket, sys.SoMaxPacingRate}: -1,
	{sys.SolSocket, sys.SoZerocopy}:      0, {sys.SolSocket, sys.SoIncomingCPU}: 0,
	{sys.ProtoTCP, sys.TCPNodelay}: 0, {sys.ProtoTCP, sys.TCPCork}: 0, {sys.ProtoTCP, sys.TCPKeepidle}: 7200,
	{sys.ProtoTCP, sys.TCPKeepintvl}: 75, {sys.ProtoTCP, sys.TCPKeepcnt}: 9, {sys.ProtoTCP, sys.TCPQuickack}: 1,
	{sys.ProtoTCP, sys.TCPUserTimeout}: 0, {sys.ProtoTCP, sys.TCPDeferAccept}: 0,
	{sys.ProtoTCP, sys.TCPFastopen}: 0, {sys.ProtoTCP, sys.TCPNotsentLowat}: 0,
	{sys.ProtoTCP, sys.TCPMaxseg}: segmentFirst,
	{sys.ProtoIPv6, sys.IPv6Only}: 0, {cmsg.LevelIP, sys.IPTOS}: 0, {cmsg.LevelIP, sys.IPTTL}: 64,
	{sys.ProtoIPv6, sys.IPv6Tclass}: 0, {sys.ProtoIPv6, sys.IPv6UnicastHops}: 64,
	{cmsg.LevelIP, sys.IPMulticastTTL}: 1, {cmsg.LevelIP, sys.IPMulticastLoop}: 1,
	{cmsg.LevelIP, cmsg.IPInfo}: 0, {cmsg.LevelIP, cmsg.IPRecvTTL}: 0, {cmsg.LevelIP, cmsg.IPRecvTOS}: 0,
	{cmsg.LevelIPv6, cmsg.IPv6RecvInfo}: 0, {cmsg.LevelIPv6, cmsg.IPv6RecvLimit}: 0,
	{cmsg.LevelIPv6, cmsg.IPv6RecvClass}: 0,
	{cmsg.LevelIP, sys.IPMTUDiscover}:    sys.PMTUDiscWant, {sys.ProtoIPv6, sys.IPv6Dontfrag}: 0,
	{sys.ProtoIPv6, sys.IPv6MTUDiscover}: sys.PMTUDiscWant, {cmsg.LevelUDP, cmsg.Segment}: 0,
	{sys.ProtoIPv6, sys.IPv6MulticastHops}: 1, {sys.ProtoIPv6, sys.IPv6MulticastLoop}: 1,
}

// segmentFirst is the initial value of TCP_MAXSEG.
const segmentFirst = 1460

// setting is an option that was set. A socket has few of them, so it needs no map.
type setting struct {
	option
	value int
}

// optionOr returns an option's value, or first if it was not set.
func (s *socket) optionOr(level, name, first int) int {
	for i := range s.options {
		if o := &s.options[i]; o.name == name && o.level == level {
			return o.value
		}
	}
	return first
}

// setOption sets an option.
func (s *socket) setOption(level, name, value int) {
	for i := range s.options {
		if o := &s.options[i]; o.name == name && o.level == level {
			o.value = value
			return
		}
	}
	s.options = append(s.options, setting{option{level, name}, value})
}

// isOn reports whether an option that is initially off is on.
func (s *socket) isOn(level, name int) bool { return s.optionOr(level, name, 0) != 0 }

// knows returns the initial value of an option, if sockets of this protocol have it.
func (s *socket) knows(level, name int) (first int, ok bool) {
	first, ok = known[option{level, name}]
	other := level == sys.ProtoTCP && s.protocol != sys.ProtoTCP || level == cmsg.LevelUDP && s.protocol != sys.ProtoUDP
	return first, ok && !other
}

// span is the range of values that an option may have.
type span struct{ least, most int }

// bounds returns the range of an option.
func bounds(level, name int) span {
	switch (option{level, name}) {
	case option{cmsg.LevelIP, sys.IPMTUDiscover}, option{sys.ProtoIPv6, sys.IPv6MTUDiscover}:
		return span{sys.PMTUDiscDont, sys.PMTUDiscOmit}
	case option{sys.ProtoIPv6, sys.IPv6Tclass}:
		return span{-1, math.MaxUint8}
	case option{cmsg.LevelUDP, cmsg.Segment}:
		return span{0, lengthMax}
	case option{sys.ProtoTCP, sys.TCPKeepidle}, option{sys.ProtoTCP, sys.TCPKeepintvl}:
		return span{1, 32767}
	case option{sys.ProtoTCP, sys.TCPKeepcnt}:
		return span{1, 127}
	}
	return span{math.MinInt32, math.MaxInt32}
}

// Getsockopt returns the value of an option that is a number.
func (h *Host) Getsockopt(fd int32, level, name int) (value, res int32) {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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
	if level == cmsg.LevelIP && name == sys.IPMTU && s.family == sys.AFInet ||
		level == sys.ProtoIPv6 && name == sys.IPv6MTU && s.family == sys.AFInet6 {
		n := s.mtu()
		return max(n, 0), min(n, 0)
	}
	first, ok := s.knows(level, name)
	if !ok {
		return 0, -int32(sys.ENOPROTOOPT)
	}
	return int32(s.optionOr(level, name, first)), 0
}

// Setsockopt sets an option that is a number.
func (h *Host) Setsockopt(fd int32, level, name, value int) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	if _, ok := s.knows(level, name); !ok {
		return -int32(sys.ENOPROTOOPT)
	}
	if e := bounds(level, name); value < e.least || value > e.most {
		return -sys.EINVAL
	}
	if level == sys.SolSocket && (name == sys.SoSndbuf || name == sys.SoRcvbuf) {
		value = min(max(2*value, 4608), 2*sendSpace) // doubled, as by Linux
	}
	s.setOption(level, name, value)
	return 0
}

// GetsockoptBytes reads an option into p.
func (h *Host) GetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	var b []byte
	switch {
	case level == sys.SolSocket && name == sys.SoLinger:
		on := uint32(0)
		if s.linger >= 0 {
			on = 1
		}
		b = binary.NativeEndian.AppendUint32(b, on)
		b = binary.NativeEndian.AppendUint32(b, uint32(max(s.linger, 0)))
	case level == sys.SolSocket && name == sys.SoPeername:
		// Valid even after the connection has ended, when Getpeername no longer works.
		if s.family == sys.AFUnix || !s.remote.IsValid() {
			return -sys.ENOTCONN
		}
		var sa sys.Sockaddr
		sa.Set(s.remote)
		if b = sa.Bytes(); len(b) < len(p) {
			return -sys.EINVAL
		}
	case level == sys.SolSocket && name == sys.SoPeerCred:
		if s.family != sys.AFUnix {
			return -int32(sys.ENOPROTOOPT)
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(s.cred.PID))
		b = binary.NativeEndian.AppendUint32(b, s.cred.UID)
		b = binary.NativeEndian.AppendUint32(b, s.cred.GID)
	case level == sys.ProtoTCP && name == sys.TCPInfo && s.protocol == sys.ProtoTCP:
		b = s.tcpFields().Bytes()
	case level == sys.SolSocket && name == sys.SoMeminfo:
		b = make([]byte, 9*4)
		binary.NativeEndian.PutUint32(b[4:], uint32(s.rcvbuf()))
		binary.NativeEndian.PutUint32(b[12:], uint32(s.sndbuf()))
		binary.NativeEndian.PutUint32(b[32:], s.drops)
	default:
		v, res := h.Getsockopt(fd, level, name)
		if res < 0 {
			return res
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return int32(copy(p, b))
}

// SetsockoptBytes sets an option to the bytes of p.
func (h *Host) SetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	join := level == cmsg.LevelIP && name == sys.IPAddMembership || level == sys.ProtoIPv6 &&
		name == sys.IPv6AddMembership
	leave := level == cmsg.LevelIP && name == sys.IPDropMembership || level == sys.ProtoIPv6 &&
		name == sys.IPv6DropMembership
	switch group := string(p[:min(len(p), 4*4)]); {
	case (join || leave) && s.kind != sys.SockDgram:
		return -int32(sys.ENOPROTOOPT)
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
		return -int32(sys.ENOPROTOOPT)
	}
	return h.Setsockopt(fd, level, name, int(int32(binary.NativeEndian.Uint32(p))))
}

// SetLinger makes the close of a connection wait, or with 0 abort the connection.
func (h *Host) SetLinger(fd int32, seconds int) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	if seconds > math.MaxInt32 {
		return -sys.EINVAL
	}
	s.linger = max(seconds, -1)
	return 0
}

// SetsockoptFilter is not supported: sockets have no filters here.
func (h *Host) SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32 {
	if _, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK)); res < 0 {
		return res
	}
	return -int32(sys.ENOPROTOOPT)
}
