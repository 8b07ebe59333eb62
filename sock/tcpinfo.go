package sock

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// TCPInfo is what the kernel knows of a TCP connection, as of the moment it was
// asked: tcp(7), TCP_INFO. What a kernel is too old to tell is zero.
type TCPInfo struct {
	State TCPState

	RTT    time.Duration // smoothed round trip time
	RTTVar time.Duration // its mean deviation
	MinRTT time.Duration // the smallest that was seen of late; Linux 4.6
	RTO    time.Duration // after which what is not acknowledged is sent again

	MSS      uint32 // bytes of a segment that is sent
	PathMTU  uint32 // bytes of a packet
	CWnd     uint32 // congestion window, in segments
	SSThresh uint32 // slow start threshold, in segments

	Unacked     uint32 // segments that are sent and not acknowledged
	Lost        uint32 // of those, taken for lost
	Retransmits uint8  // timeouts in a row, with no acknowledgement between
	Retransmit  uint32 // segments sent again since the connection began
	NotSent     uint32 // bytes that wait in the send buffer; Linux 4.6

	BytesAcked         uint64 // Linux 4.1
	BytesReceived      uint64 // Linux 4.1
	BytesSent          uint64 // with those that were sent again; Linux 4.19
	BytesRetransmitted uint64 // Linux 4.19
	SegmentsOut        uint32 // Linux 4.2
	SegmentsIn         uint32 // Linux 4.2

	DeliveryRate uint64 // bytes a second, the latest measurement; Linux 4.9
	PacingRate   uint64 // bytes a second that may be sent; Linux 3.15

	LastSent     time.Duration // since data was sent
	LastReceived time.Duration // since data was received
}

// TCPState is a state of a TCP connection, RFC 9293 section 3.3.2.
type TCPState uint8

// The states, with the kernel's numbers.
const (
	TCPEstablished TCPState = 1 + iota
	TCPSynSent
	TCPSynRecv
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPClose
	TCPCloseWait
	TCPLastAck
	TCPListen
	TCPClosing
)

var tcpStates = [...]string{
	TCPEstablished: "ESTABLISHED", TCPSynSent: "SYN-SENT", TCPSynRecv: "SYN-RECEIVED", TCPFinWait1: "FIN-WAIT-1",
	TCPFinWait2: "FIN-WAIT-2", TCPTimeWait: "TIME-WAIT", TCPClose: "CLOSED", TCPCloseWait: "CLOSE-WAIT",
	TCPLastAck: "LAST-ACK",
	TCPListen:  "LISTEN", TCPClosing: "CLOSING",
}

// String returns the state's name as in RFC 9293.
func (s TCPState) String() string {
	if int(s) < len(tcpStates) && tcpStates[s] != "" {
		return tcpStates[s]
	}
	return "TCPState(" + strconv.Itoa(int(s)) + ")"
}

// TCPInfo asks the kernel about the connection. On one that is not TCP it fails. It
// does not wait. Any goroutine may call it.
func (c *Conn) TCPInfo() (TCPInfo, error) {
	raw := make([]byte, tcpInfoSize)
	n, err := c.plain("get", func(k kernel.Kernel, fd int32) int32 {
		return k.GetsockoptBytes(fd, protoTCP, tcpInfo, raw)
	})
	if err == nil && n < 0 {
		err = c.fail("get", callError("getsockopt", n))
	}
	if err != nil {
		return TCPInfo{}, err
	}
	return tcpInfoOf(raw), nil
}

// tcpInfoSize is where the struct of linux/tcp.h ends for us: newer kernels give
// only as much as they are asked for, older ones less, and the rest stays zero.
const tcpInfoSize = 224

// tcpInfoOf reads the struct of linux/tcp.h.
func tcpInfoOf(raw []byte) TCPInfo {
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(raw[at:]) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(raw[at:]) }
	micros := func(at int) time.Duration { return time.Duration(u32(at)) * time.Microsecond }
	millis := func(at int) time.Duration { return time.Duration(u32(at)) * time.Millisecond }
	info := TCPInfo{
		State: TCPState(raw[0]), Retransmits: raw[2],
		RTO: micros(8), MSS: u32(16), Unacked: u32(24), Lost: u32(32),
		LastSent: millis(44), LastReceived: millis(52),
		PathMTU: u32(60), RTT: micros(68), RTTVar: micros(72), SSThresh: u32(76), CWnd: u32(80), Retransmit: u32(100),
		PacingRate: u64(104), BytesAcked: u64(120), BytesReceived: u64(128),
		SegmentsOut: u32(136), SegmentsIn: u32(140), NotSent: u32(144), MinRTT: micros(148),
		DeliveryRate: u64(160), BytesSent: u64(200), BytesRetransmitted: u64(208),
	}
	if info.MinRTT == time.Duration(^uint32(0))*time.Microsecond {
		info.MinRTT = 0 // none was seen yet
	}
	return info
}

// SetUserTimeout sets how long sent data may stay without an acknowledgement, or a
// window closed, before the kernel gives the connection up: reads and writes then
// fail with ETIMEDOUT. Parts of a millisecond round up; 0 is the system's way, some
// 15 minutes. With it keep-alive probes end after that time too: tcp(7),
// TCP_USER_TIMEOUT. Any goroutine may call it.
func (c *Conn) SetUserTimeout(d time.Duration) error {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	if ms > math.MaxInt32 {
		return c.fail("set", callError("setsockopt", -sys.EINVAL))
	}
	return c.setOption(protoTCP, tcpUserTimeout, int(ms))
}
