package cmsg

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"

	"ringo/internal/sys"
)

const (
	word = bits.UintSize / 8
	// HeaderSize is the size of what precedes a message's data.
	HeaderSize = word + 8
)

// Space returns the size in a control buffer of a message with n bytes of data.
func Space(n int) int { return padded(HeaderSize + n) }

// The sizes in bytes of data that has a fixed size.
const (
	Info4Size       = 12 // struct in_pktinfo
	Info6Size       = 20 // struct in6_pktinfo
	IntSize         = 4
	SegmentSize     = 2
	TXTimeSize      = 8
	CredentialsSize = 12
)

// Append appends a message. Its header has the data's length without the padding, which is zeros.
func Append(b []byte, level, typ int32, data []byte) []byte {
	b, at := extend(b, level, typ, len(data))
	copy(b[at:], data)
	return b
}

// extend appends a message with n zero bytes of data, and returns the index of that.
func extend(b []byte, level, typ int32, n int) ([]byte, int) {
	start := len(b)
	b = grow(b, Space(n))
	putWord(b[start:], HeaderSize+n)
	binary.NativeEndian.PutUint32(b[start+word:], uint32(level))
	binary.NativeEndian.PutUint32(b[start+word+4:], uint32(typ))
	return b, start + HeaderSize
}

// grow appends n zero bytes.
func grow(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		b = b[:len(b)+n]
		clear(b[len(b)-n:])
		return b
	}
	return append(b, make([]byte, n)...)
}

func putWord(b []byte, n int) {
	if word == 8 {
		binary.NativeEndian.PutUint64(b, uint64(n))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(n))
	}
}

func padded(n int) int { return (n + word - 1) &^ (word - 1) }

func appendInt(b []byte, level, typ int32, value uint32) []byte {
	b, at := extend(b, level, typ, IntSize)
	binary.NativeEndian.PutUint32(b[at:], value)
	return b
}

// AppendInfo selects the source address and the interface of a datagram; the zero Addr and index 0 leave them to the
// kernel. v6 is the family of the destination: an IPv4 datagram of an IPv6 socket takes the IPv4 message.
func AppendInfo(b []byte, v6 bool, index uint32, src netip.Addr) []byte {
	if v6 {
		b, at := extend(b, LevelIPv6, IPv6Info, Info6Size)
		if src.IsValid() {
			a := src.As16()
			copy(b[at:], a[:])
		}
		binary.NativeEndian.PutUint32(b[at+16:], index)
		return b
	}
	b, at := extend(b, LevelIP, IPInfo, Info4Size)
	binary.NativeEndian.PutUint32(b[at:], index)
	if src = src.Unmap(); src.Is4() {
		a := src.As4()
		copy(b[at+4:], a[:])
	}
	return b
}

// AppendTOS sets a datagram's TOS, or traffic class, which includes ECN.
func AppendTOS(b []byte, v6 bool, tos uint8) []byte {
	if v6 {
		return appendInt(b, LevelIPv6, IPv6Class, uint32(tos))
	}
	return appendInt(b, LevelIP, IPTOS, uint32(tos))
}

// AppendTTL sets a datagram's time to live, or hop limit.
func AppendTTL(b []byte, v6 bool, ttl uint8) []byte {
	if v6 {
		return appendInt(b, LevelIPv6, IPv6Limit, uint32(ttl))
	}
	return appendInt(b, LevelIP, IPTTL, uint32(ttl))
}

// AppendSegment cuts what is sent into datagrams of size bytes (Linux 4.18).
func AppendSegment(b []byte, size uint16) []byte {
	b, at := extend(b, LevelUDP, Segment, SegmentSize)
	binary.NativeEndian.PutUint16(b[at:], size)
	return b
}

// AppendTXTime says how far ahead a datagram is to leave, by a socket whose SO_TXTIME has CLOCK_MONOTONIC (Linux 4.19).
func AppendTXTime(b []byte, ahead time.Duration) []byte {
	b, at := extend(b, LevelSocket, TXTime, TXTimeSize)
	binary.NativeEndian.PutUint64(b[at:], uint64(max(sys.Monotonic()+int64(ahead), 1)))
	return b
}

// AppendRights passes descriptors, at most RightsMax. The sender keeps its own; the kernel takes its references during
// the send call.
func AppendRights(b []byte, fds []int32) []byte {
	b, at := extend(b, LevelSocket, Rights, 4*len(fds))
	for i, fd := range fds {
		binary.NativeEndian.PutUint32(b[at+4*i:], uint32(fd))
	}
	return b
}

// RightsMax is the most descriptors that one message carries: SCM_MAX_FD of the kernel.
const RightsMax = 253

// AppendCredentials states who sends; the kernel checks it.
func AppendCredentials(b []byte, c sys.Ucred) []byte {
	b, at := extend(b, LevelSocket, Credentials, CredentialsSize)
	binary.NativeEndian.PutUint32(b[at:], uint32(c.PID))
	binary.NativeEndian.PutUint32(b[at+4:], c.UID)
	binary.NativeEndian.PutUint32(b[at+8:], c.GID)
	return b
}
