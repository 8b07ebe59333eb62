package sock

import (
	"math"
	"strconv"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// TCPInfo is the kernel's information about a TCP connection at the time of the call: tcp(7), TCP_INFO. Fields that the
// kernel does not have are zero.
type TCPInfo struct {
	State TCPState

	RTT    time.Duration // smoothed round trip time
	RTTVar time.Duration // its mean deviation
	MinRTT time.Duration // the recent minimum; Linux 4.6
	RTO    time.Duration // retransmission timeout

	MSS      uint32 // maximum size of sent segments
	PathMTU  uint32 // maximum size of packets
	CWnd     uint32 // congestion window, in segments
	SSThresh uint32 // slow start threshold, in segments

	Unacked     uint32 // segments sent and not acknowledged
	Lost        uint32 // of those, presumed lost
	Retransmits uint8  // consecutive timeouts without an acknowledgement
	Retransmit  uint32 // segments sent again since the connection began
	NotSent     uint32 // bytes that wait in the send buffer; Linux 4.6

	BytesAcked         uint64 // Linux 4.1
	BytesReceived      uint64 // Linux 4.1
	BytesSent          uint64 // including retransmissions; Linux 4.19
	BytesRetransmitted uint64 // Linux 4.19
	SegmentsOut        uint32 // Linux 4.2
	SegmentsIn         uint32 // Linux 4.2

	DeliveryRate uint64 // bytes a second, the latest measurement; Linux 4.9
	PacingRate   uint64 // bytes a second, the limit for sending; Linux 3.15

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

// TCPInfo returns the kernel's information about the connection. It fails if that is not TCP. It does not wait. Any
// goroutine may call it.
func (c *Conn) TCPInfo() (TCPInfo, error) {
	f := new(sys.TCPFields)
	_, err := c.plain("get", func(k kernel.Kernel, fd int32) int32 {
		return k.GetsockoptBytes(fd, protoTCP, tcpInfo, f.Bytes())
	})
	if err != nil {
		return TCPInfo{}, err
	}
	micros := func(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
	millis := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	if f.MinRTT == math.MaxUint32 {
		f.MinRTT = 0 // not measured yet
	}
	return TCPInfo{
		State: TCPState(f.State), RTT: micros(f.RTT), RTTVar: micros(f.RTTVar), MinRTT: micros(f.MinRTT),
		RTO: micros(f.RTO), MSS: f.MSS, PathMTU: f.PathMTU, CWnd: f.CWnd, SSThresh: f.SSThresh, Unacked: f.Unacked,
		Lost: f.Lost, Retransmits: f.Retransmits, Retransmit: f.Retransmit, NotSent: f.NotSent,
		BytesAcked: f.BytesAcked, BytesReceived: f.BytesReceived, BytesSent: f.BytesSent,
		BytesRetransmitted: f.BytesRetransmitted, SegmentsOut: f.SegsOut, SegmentsIn: f.SegsIn,
		DeliveryRate: f.DeliveryRate, PacingRate: f.PacingRate,
		LastSent: millis(f.LastSent), LastReceived: millis(f.LastReceived),
	}, nil
}

// SetUserTimeout sets how long sent data may stay unacknowledged, or the peer's window closed, before the kernel gives
// up the connection: reads and writes then fail with ETIMEDOUT. Parts of a millisecond round up; 0 means the system's
// default, some 15 minutes. Keep-alive probes end after that time too; see tcp(7), TCP_USER_TIMEOUT. Any goroutine may
// call it.
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
