package memkernel

import (
	"net/netip"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

// The limits of UDP. An IPv6 packet's length does not include its header.
const (
	headerIPv4 = 20
	headerIPv6 = 40
	headerUDP  = 8
	lengthMax  = 1<<16 - 1
	// segmentsMax is UDP_MAX_SEGMENTS before Linux 6.10, which has 128.
	segmentsMax = 64
)

// headers returns the length of a datagram's headers.
func headers(to netip.Addr) int {
	if to.Unmap().Is4() {
		return headerIPv4 + headerUDP
	}
	return headerIPv6 + headerUDP
}

// sizeOf returns the size of the datagrams that n bytes are sent as; the last one may be shorter. It returns -EMSGSIZE
// and -EINVAL as udp_send_skb of Linux does.
func (s *socket) sizeOf(n int, a ancillary, to netip.Addr, l Link) (size int, res int32) {
	segment := a.segment
	if segment == 0 {
		segment = s.optionOr(cmsg.LevelUDP, cmsg.Segment, 0)
	}
	most, header := lengthMax, headers(to)
	if !to.Unmap().Is4() {
		most += headerIPv6
	}
	if segment == 0 && s.wholeOnly(to) {
		most = min(most, l.MTU)
	}
	switch {
	case n+header > most:
		return 0, -sys.EMSGSIZE
	case segment == 0:
		return max(n, 1), 0
	case min(n, segment)+header > l.MTU:
		return 0, -sys.EMSGSIZE
	case n > segment*segmentsMax:
		return 0, -sys.EINVAL
	}
	return segment, 0
}

// wholeOnly reports whether datagrams must not be fragmented.
func (s *socket) wholeOnly(to netip.Addr) bool {
	level, name := cmsg.LevelIP, sys.IPMTUDiscover
	if !to.Unmap().Is4() {
		level, name = sys.ProtoIPv6, sys.IPv6MTUDiscover
		if s.optionOr(level, sys.IPv6Dontfrag, 0) != 0 {
			return true
		}
	}
	switch s.optionOr(level, name, sys.PMTUDiscWant) {
	case sys.PMTUDiscDo, sys.PMTUDiscProbe, sys.PMTUDiscInterface:
		return true
	}
	return false
}

// mtu returns the value of IP_MTU: the MTU of the path to the peer.
func (s *socket) mtu() int32 {
	if !s.remote.IsValid() {
		return -sys.ENOTCONN
	}
	peer := s.h.net.hostOf(s.h, s.remote.Addr())
	if peer == nil {
		return -int32(sys.ENETUNREACH)
	}
	return int32(s.h.net.link(s.h, peer).MTU)
}
