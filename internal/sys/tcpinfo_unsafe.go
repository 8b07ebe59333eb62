package sys

import "unsafe"

// TCPFields is struct tcp_info of linux/tcp.h, the value of the option TCPInfo. A kernel that has fewer fields, or
// more, returns as many bytes as it has, or as were asked for.
type TCPFields struct {
	State       uint8
	_           uint8
	Retransmits uint8
	_           [5]uint8
	RTO, _      uint32 // microseconds, as all times but the Last
	MSS, _      uint32

	Unacked, Sacked    uint32 // of a listener: the length of its queue, and its bound
	Lost               uint32
	_, _               uint32
	LastSent, _        uint32 // milliseconds ago
	LastReceived, _    uint32
	PathMTU, _         uint32
	RTT, RTTVar        uint32
	SSThresh, CWnd     uint32
	_, _, _, _         uint32
	Retransmit         uint32
	PacingRate, _      uint64
	BytesAcked         uint64
	BytesReceived      uint64
	SegsOut, SegsIn    uint32
	NotSent            uint32
	MinRTT             uint32
	_, _               uint32
	DeliveryRate       uint64
	_, _, _            uint64
	_, _               uint32
	BytesSent          uint64
	BytesRetransmitted uint64
	_, _               uint32
}

// Bytes returns its memory, for code that reads or writes it.
func (f *TCPFields) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(f)), unsafe.Sizeof(*f))
}
