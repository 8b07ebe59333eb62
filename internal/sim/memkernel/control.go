package memkernel

import (
	"encoding/binary"
	"net/netip"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

// ancillary is the data that travels beside the bytes of a message.
type ancillary struct {
	files    []*openFile
	tos, ttl int        // of a datagram; negative: the socket's setting
	local    netip.Addr // the source address, if the sender chooses it
	segment  int        // the size of the datagrams that the message is cut into; 0: it is one
}

// alone returns an ancillary without data.
func alone() ancillary { return ancillary{tos: -1, ttl: -1} }

// ancillary reads the control messages of a send. It ignores those for other kinds of sockets, as Linux does. -EBADF:
// a file to pass is not open.
func (s *socket) ancillary(control []byte) (a ancillary, res int32) {
	a = alone()
	for m, rest, ok := cmsg.Next(control); ok; m, rest, ok = cmsg.Next(rest) {
		if s.family == sys.AFUnix {
			for i := range m.FDs() {
				o := s.h.at(m.FD(i))
				if o == nil {
					return a, -sys.EBADF
				}
				a.files = append(a.files, o)
			}
			continue
		}
		if s.protocol == sys.ProtoUDP && m.Level == cmsg.LevelUDP {
			size, ok := m.Segment()
			if !ok || len(m.Data) != cmsg.SegmentSize {
				return a, -sys.EINVAL
			}
			a.segment = int(size)
		}
		if m.Level == cmsg.LevelSocket && m.Type == cmsg.TXTime {
			return a, -sys.EINVAL // SO_TXTIME is not set
		}
		if tos, ok := m.TOS(); ok {
			a.tos = int(tos)
		}
		if ttl, ok := m.TTL(); ok {
			a.ttl = int(ttl)
		}
		if m.Level == cmsg.LevelIP && m.Type == cmsg.IPInfo && len(m.Data) >= cmsg.Info4Size {
			a.local = netip.AddrFrom4([4]byte(m.Data[4:]))
		} else if info, ok := m.Info(); ok {
			a.local = info.Dst.Unmap()
		}
	}
	if a.local.IsValid() && a.local.IsUnspecified() {
		a.local = netip.Addr{}
	}
	if a.local.IsValid() && !s.h.has(a.local) {
		return a, -sys.EINVAL
	}
	return a, 0
}

// header returns the TOS and the TTL of a packet to an address.
func (s *socket) header(a ancillary, to netip.Addr) (tos, ttl uint8) {
	level, class, hops, group := cmsg.LevelIPv6, sys.IPv6Tclass, sys.IPv6UnicastHops, sys.IPv6MulticastHops
	if to.Is4() {
		level, class, hops, group = cmsg.LevelIP, sys.IPTOS, sys.IPTTL, sys.IPMulticastTTL
	}
	most := 64
	if to.IsMulticast() {
		hops, most = group, 1
	}
	if a.tos < 0 {
		a.tos = s.optionOr(level, class, 0)
	}
	if a.ttl < 0 {
		a.ttl = s.optionOr(level, hops, most)
	}
	return uint8(a.tos), uint8(a.ttl)
}

// told returns the control messages of IP that the socket asks for about a packet.
func (s *socket) told(p *packet) (b []byte) {
	if s.isOn(sys.SolSocket, sys.SoTimestampns) {
		t := p.came
		b = cmsg.Append(b, cmsg.LevelSocket, cmsg.TimestampNS,
			binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, uint64(t.Sec)), uint64(t.Nsec)))
	}
	if p.drops > 0 {
		b = cmsg.Append(b, cmsg.LevelSocket, sys.SoRxqOvfl, binary.NativeEndian.AppendUint32(nil, p.drops))
	}
	if s.family == sys.AFUnix {
		return b
	}
	index := uint32(2)
	if p.to.IsLoopback() {
		index = 1
	}
	if to := p.to.Unmap(); to.Is4() {
		if s.isOn(cmsg.LevelIP, cmsg.IPInfo) {
			info := binary.NativeEndian.AppendUint32(nil, index)
			info = append(append(info, to.AsSlice()...), to.AsSlice()...)
			b = cmsg.Append(b, cmsg.LevelIP, cmsg.IPInfo, info)
		}
		if s.isOn(cmsg.LevelIP, cmsg.IPRecvTTL) {
			b = cmsg.AppendTTL(b, false, p.ttl)
		}
		if s.isOn(cmsg.LevelIP, cmsg.IPRecvTOS) {
			b = cmsg.Append(b, cmsg.LevelIP, cmsg.IPTOS, []byte{p.tos})
		}
		return b
	}
	if s.isOn(cmsg.LevelIPv6, cmsg.IPv6RecvInfo) {
		b = cmsg.AppendInfo(b, true, index, p.to)
	}
	if s.isOn(cmsg.LevelIPv6, cmsg.IPv6RecvLimit) {
		b = cmsg.AppendTTL(b, true, p.ttl)
	}
	if s.isOn(cmsg.LevelIPv6, cmsg.IPv6RecvClass) {
		b = cmsg.AppendTOS(b, true, p.tos)
	}
	return b
}

// arrival is the data that came beside the bytes of a message.
type arrival struct {
	files []*openFile
	told  []byte // control messages
}

// drop closes files that no caller has asked for.
func (a arrival) drop() { dropAll(a.files) }

// put stores what came in the memory for control messages. It returns the bytes used, and MSG_CTRUNC if there was too
// little room.
func (h *Host) put(a arrival, control []byte) (n int, flags uint32) {
	for m, rest, ok := cmsg.Next(a.told); ok; m, rest, ok = cmsg.Next(rest) {
		if one := cmsg.Append(nil, m.Level, m.Type, m.Data); len(one) <= len(control)-n {
			n += copy(control[n:], one)
		} else {
			flags = sys.MsgCtrunc
		}
	}
	more, cut := h.install(a.files, control[n:])
	return n + more, flags | cut
}
