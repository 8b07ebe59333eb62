package memkernel

import "ringo/internal/sys"

// Linux's numbers of connection states, for TCP_INFO.
const (
	established = 1 + iota
	synSent
	_ // SYN-RECEIVED: on Linux no socket with a descriptor has it
	finWait1
	finWait2
	_ // TIME-WAIT: a socket that is still open reports CLOSED then
	shut
	closeWait
	lastAck
	listens
	closing
)

// tcpFields returns TCP_INFO for a socket. Times and windows stay zero: they are not measured here.
func (s *socket) tcpFields() *sys.TCPFields {
	f := &sys.TCPFields{State: s.tcpState(), BytesSent: s.sent, BytesAcked: s.acked,
		MSS:           uint32(s.optionOr(sys.ProtoTCP, sys.TCPMaxseg, segmentFirst)),
		BytesReceived: s.seen + uint64(s.in.len()),
		NotSent:       uint32(s.out.len())}
	if s.ended {
		f.BytesReceived++
	}
	if s.said {
		f.BytesSent-- // does not count the end
	} else if s.shutOut {
		f.NotSent++
	}
	if s.state == listening {
		f.Unacked, f.Sacked = uint32(len(s.queue)), uint32(s.backlog)
	} else {
		f.Unacked = uint32((s.sent - s.acked + uint64(f.MSS) - 1) / uint64(f.MSS))
	}
	return f
}

func (s *socket) tcpState() uint8 {
	heard := s.said && s.acked == s.sent
	switch {
	case s.state == listening:
		return listens
	case s.state == connecting:
		return synSent
	case s.state != connected:
		return shut
	case !s.shutOut && !s.ended:
		return established
	case !s.shutOut:
		return closeWait
	case s.ended && s.closedFirst:
		return closing
	case s.ended:
		return lastAck
	case heard:
		return finWait2
	}
	return finWait1
}
