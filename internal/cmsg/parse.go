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

// Next takes the first message off b. ok is false if there is none, or if the bytes can't be a message, because its
// length is less than a header or more than the buffer.
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

// is reports whether m has this level and type, and at least n bytes of data.
func (m Message) is(level, typ int32, n int) bool {
	return m.Level == level && m.Type == typ && len(m.Data) >= n
}

// Info says how a datagram came in.
type Info struct {
	Index uint32     // the interface's index
	Dst   netip.Addr // the address that the datagram was sent to, without a zone
	Here  netip.Addr // the address that an answer comes from, if valid: Dst may be a group's, or broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Info returns the content of an IP_PKTINFO or IPV6_PKTINFO message.
func (m Message) Info() (info Info, ok bool) {
	switch {
	case m.is(LevelIP, IPInfo, Info4Size):
		i := Info{binary.NativeEndian.Uint32(m.Data), netip.AddrFrom4([4]byte(m.Data[8:])),
			netip.AddrFrom4([4]byte(m.Data[4:]))}
		if i.Here.IsUnspecified() { // the datagram came before the option was set
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

// TOS returns a datagram's TOS, which comes as a byte, or its traffic class, which is an int.
func (m Message) TOS() (tos uint8, ok bool) {
	switch {
	case m.is(LevelIPv6, IPv6Class, IntSize), m.is(LevelIP, IPTOS, IntSize):
		return uint8(binary.NativeEndian.Uint32(m.Data)), true
	case m.is(LevelIP, IPTOS, 1):
		return m.Data[0], true
	}
	return 0, false
}

// TTL returns a datagram's time to live, or hop limit, as it arrived.
func (m Message) TTL() (ttl uint8, ok bool) {
	if m.is(LevelIP, IPTTL, IntSize) || m.is(LevelIPv6, IPv6Limit, IntSize) {
		return uint8(binary.NativeEndian.Uint32(m.Data)), true
	}
	return 0, false
}

// Timestamp returns when the kernel received a datagram.
func (m Message) Timestamp() (t time.Time, ok bool) {
	if m.Level != LevelSocket || m.Type != TimestampNS && m.Type != TimestampNSNew {
		return time.Time{}, false
	}
	switch {
	case len(m.Data) >= 16:
		return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), true
	case len(m.Data) >= 8 && m.Type == TimestampNS: // the timespec of a 32-bit program
		return time.Unix(int64(int32(binary.NativeEndian.Uint32(m.Data))),
			int64(int32(binary.NativeEndian.Uint32(m.Data[4:])))), true
	}
	return time.Time{}, false
}

// Segment returns the size of the datagrams that what is sent shall be cut into.
func (m Message) Segment() (size uint16, ok bool) {
	if !m.is(LevelUDP, Segment, SegmentSize) {
		return 0, false
	}
	return binary.NativeEndian.Uint16(m.Data), true
}

// GRO returns the size of the datagrams that came as one; the last of them may be shorter.
func (m Message) GRO() (size int, ok bool) {
	if !m.is(LevelUDP, GRO, IntSize) {
		return 0, false
	}
	return int(int32(binary.NativeEndian.Uint32(m.Data))), true
}

// Drops returns how many datagrams the socket has dropped since it was made; the count wraps. It comes only with
// datagrams after the first loss.
func (m Message) Drops() (n uint32, ok bool) {
	if !m.is(LevelSocket, Overflow, 4) {
		return 0, false
	}
	return binary.NativeEndian.Uint32(m.Data), true
}

// FDs returns how many descriptors the message passes.
func (m Message) FDs() int {
	if m.Level != LevelSocket || m.Type != Rights {
		return 0
	}
	return len(m.Data) / 4
}

// FD returns the i-th descriptor; i must be below FDs.
func (m Message) FD(i int) int32 { return int32(binary.NativeEndian.Uint32(m.Data[4*i:])) }

// Credentials returns who sent the message, as checked by the kernel.
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

// CloseRights closes every descriptor that a buffer passes, and returns how many there were. The buffer must have been
// filled by the kernel, and its descriptors not taken over: otherwise CloseRights would close others' descriptors.
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
