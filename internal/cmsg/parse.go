package cmsg

import (
	"encoding/binary"
	"net/netip"
	"time"

	"ringo/internal/sys"
)

// Message is one control message. Data is a part of the buffer.
type Message struct {
	Level, Type int32
	Data        []byte
}

// Next takes the first message off b. It is false when there is no more, or what
// there is can't be a message: shorter than a header, or longer than the buffer.
func Next(b []byte) (m Message, rest []byte, ok bool) {
	if len(b) < HeaderSize {
		return Message{}, nil, false
	}
	n := uint64(binary.NativeEndian.Uint32(b))
	if word == 8 {
		n = binary.NativeEndian.Uint64(b)
	}
	if n < HeaderSize || n > uint64(len(b)) {
		return Message{}, nil, false
	}
	m = Message{
		Level: int32(binary.NativeEndian.Uint32(b[word:])),
		Type:  int32(binary.NativeEndian.Uint32(b[word+4:])),
		Data:  b[HeaderSize:n:n],
	}
	return m, b[min(padded(int(n)), len(b)):], true
}

// is reports whether it is that message with at least n bytes of data.
func (m Message) is(level, typ int32, n int) bool {
	return m.Level == level && m.Type == typ && len(m.Data) >= n
}

// Info is where a datagram came in.
type Info struct {
	Index uint32     // of the interface
	Dst   netip.Addr // to which the datagram was sent, without a zone
	Here  netip.Addr // an answer comes from there, if it is valid: Dst may be that of a group, or of all
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Info is a message of IP_PKTINFO or IPV6_PKTINFO.
func (m Message) Info() (info Info, ok bool) {
	switch {
	case m.is(LevelIP, IPInfo, Info4Size):
		i := Info{binary.NativeEndian.Uint32(m.Data), netip.AddrFrom4([4]byte(m.Data[8:])),
			netip.AddrFrom4([4]byte(m.Data[4:]))}
		if i.Here.IsUnspecified() { // the datagram had come before the option was set
			i.Here = netip.Addr{}
			if !i.Dst.IsMulticast() && i.Dst != broadcast {
				i.Here = i.Dst
			}
		}
		return i, true
	case m.is(LevelIPv6, IPv6Info, Info6Size):
		i := Info{Index: binary.NativeEndian.Uint32(m.Data[16:]), Dst: netip.AddrFrom16([16]byte(m.Data))}
		if !i.Dst.IsMulticast() {
			i.Here = i.Dst
		}
		return i, true
	}
	return Info{}, false
}

// TOS is a datagram's TOS, which comes as a byte, or traffic class, an int.
func (m Message) TOS() (tos uint8, ok bool) {
	switch {
	case m.is(LevelIPv6, IPv6Class, IntSize), m.is(LevelIP, IPTOS, IntSize):
		return uint8(binary.NativeEndian.Uint32(m.Data)), true
	case m.is(LevelIP, IPTOS, 1):
		return m.Data[0], true
	}
	return 0, false
}

// TTL is a datagram's time to live, or hop limit, as it came in.
func (m Message) TTL() (ttl uint8, ok bool) {
	if m.is(LevelIP, IPTTL, IntSize) || m.is(LevelIPv6, IPv6Limit, IntSize) {
		return uint8(binary.NativeEndian.Uint32(m.Data)), true
	}
	return 0, false
}

// Timestamp is when the kernel received a datagram.
func (m Message) Timestamp() (t time.Time, ok bool) {
	if m.Level != LevelSocket || m.Type != TimestampNS && m.Type != TimestampNSNew {
		return time.Time{}, false
	}
	switch {
	case len(m.Data) >= 16:
		return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), true
	case len(m.Data) >= 8 && m.Type == TimestampNS: // a 32-bit program's timespec
		return time.Unix(int64(int32(binary.NativeEndian.Uint32(m.Data))),
			int64(int32(binary.NativeEndian.Uint32(m.Data[4:])))), true
	}
	return time.Time{}, false
}

// Segment is the size of the datagrams into which one that is sent is to be cut.
func (m Message) Segment() (size uint16, ok bool) {
	if !m.is(LevelUDP, Segment, SegmentSize) {
		return 0, false
	}
	return binary.NativeEndian.Uint16(m.Data), true
}

// GRO is the size of the datagrams that came as one; the last of them may be
// shorter.
func (m Message) GRO() (size int, ok bool) {
	if !m.is(LevelUDP, GRO, IntSize) {
		return 0, false
	}
	return int(int32(binary.NativeEndian.Uint32(m.Data))), true
}

// Drops is how many datagrams the socket has dropped since it was made; the count
// wraps. It comes with datagrams after the first loss only.
func (m Message) Drops() (n uint32, ok bool) {
	if !m.is(LevelSocket, Overflow, 4) {
		return 0, false
	}
	return binary.NativeEndian.Uint32(m.Data), true
}

// FDs is how many descriptors the message passes.
func (m Message) FDs() int {
	if m.Level != LevelSocket || m.Type != Rights {
		return 0
	}
	return len(m.Data) / 4
}

// FD is the i-th descriptor, below FDs.
func (m Message) FD(i int) int32 { return int32(binary.NativeEndian.Uint32(m.Data[4*i:])) }

// Credentials is who sent, as the kernel has checked it.
func (m Message) Credentials() (c sys.Ucred, ok bool) {
	if !m.is(LevelSocket, Credentials, CredentialsSize) {
		return sys.Ucred{}, false
	}
	return sys.Ucred{
		PID: int32(binary.NativeEndian.Uint32(m.Data)),
		UID: binary.NativeEndian.Uint32(m.Data[4:]),
		GID: binary.NativeEndian.Uint32(m.Data[8:]),
	}, true
}

// CloseRights closes every descriptor that a buffer passes, and says how many there
// were. It is for a buffer that the kernel has filled and nobody takes over; called
// on anything else it would close what is not its own.
func CloseRights(control []byte) (n int) {
	for m, rest, ok := Next(control); ok; m, rest, ok = Next(rest) {
		for i := range m.FDs() {
			if fd := m.FD(i); fd >= 0 {
				sys.Close(fd)
				n++
			}
		}
	}
	return n
}
