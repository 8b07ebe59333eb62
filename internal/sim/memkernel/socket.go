package memkernel

import (
	"net/netip"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// socket is an endpoint of any family and type.
type socket struct {
	watchList
	h        *Host
	family   int
	kind     int
	protocol int
	state    state
	options  []setting       // those that were set
	groups   map[string]bool // multicast memberships

	local, remote netip.AddrPort
	name          string // of a Unix socket; with a NUL in front if abstract
	peerName      string
	bound         *binding  // the binding of its port
	seat          int       // its place there, if the connection was accepted; 0 otherwise
	numbered      bool      // its port was asked for, and stays its own until it is closed
	dialled       bool      // its port was picked for the peer's address: other sockets may have it for other peers
	file          *unixName // the name that it has
	cred          sys.Ucred
	linger        int // seconds; negative: off

	err    int32 // SO_ERROR: reported once
	peer   *socket
	in     stream
	rights []rightsAt // descriptors that came with bytes of in
	seen   uint64     // bytes of in that were taken so far
	out    stream     // accepted, and not under way yet
	flying int        // bytes under way to the peer
	sent   uint64     // bytes that have left so far
	acked  uint64     // those of them that were acknowledged
	edge   uint64     // up to which the peer has reported room
	way    *way       // to the peer
	ended  bool       // the peer has said that nothing follows, behind everything that it had accepted
	shutIn bool
	shutOut,
	said bool // the end has been queued, and has left
	closedFirst bool  // it has done so before the peer's end came
	patient     int64 // until when it waits for the peer's end once no descriptor is left; 0: without limit

	backlog int
	queue   []*socket // connections to accept

	packets  []packet  // of a datagram socket
	held     int       // their bytes
	drops    uint32    // datagrams for which there was no room
	lent     int       // bytes of datagrams that it has sent and that a Unix socket still holds
	wanted   []*socket // the sockets that found no room here
	gone     bool      // released
	doubted  bool      // it sends keep-alive probes
	vanished bool      // its host has crashed
	aborted  bool      // it has ended its connection without the peer
	dial     *world.Event
	life     uint64 // how often it has begun to connect, or left a connection
}

type state uint8

const (
	fresh state = iota
	listening
	connecting
	connected
	closed // both ends know of the end
)

const (
	sendSpace    = 212992
	receiveSpace = 212992
	backlogMax   = 4096 // somaxconn
)

// Socket makes a socket.
func (h *Host) Socket(family, kind, protocol int) int32 {
	switch family {
	case sys.AFInet, sys.AFInet6, sys.AFUnix:
	default:
		return -int32(sys.EAFNOSUPPORT)
	}
	kind &^= sys.SockNonblock | sys.SockCloexec
	switch {
	case family == sys.AFUnix && kind != sys.SockStream && kind != sys.SockDgram && kind != sys.SockSeqpacket:
		return -int32(sys.ESOCKTNOSUPPORT)
	case family != sys.AFUnix && kind != sys.SockStream && kind != sys.SockDgram:
		if kind == sys.SockRaw {
			return -sys.EPERM
		}
		return -int32(sys.ESOCKTNOSUPPORT)
	}
	want := 0
	if family != sys.AFUnix {
		if want = sys.ProtoTCP; kind == sys.SockDgram {
			want = sys.ProtoUDP
		}
		if protocol != 0 && protocol != want {
			return -int32(sys.EPROTONOSUPPORT)
		}
	}
	if res := h.lacks(sys.ENOBUFS); res < 0 {
		return res
	}
	s := h.newSocket(family, kind)
	s.protocol = want
	return h.made(s, sys.ONonblock|sys.ORdwr, true)
}

func (h *Host) newSocket(family, kind int) *socket {
	return &socket{h: h, family: family, kind: kind, linger: -1, cred: sys.Ucred{PID: 1}}
}

// Socketpair makes two connected Unix sockets, as socketpair(2) does.
func (h *Host) Socketpair(kind int) (a, b, res int32) {
	if res := h.lacks(sys.ENOBUFS); res < 0 {
		return -1, -1, res
	}
	x, y := h.newSocket(sys.AFUnix, kind), h.newSocket(sys.AFUnix, kind)
	x.join(y)
	if a = h.made(x, sys.ONonblock|sys.ORdwr, true); a < 0 {
		return -1, -1, a
	}
	if b = h.made(y, sys.ONonblock|sys.ORdwr, true); b < 0 {
		h.Close(a)
		return -1, -1, b
	}
	return a, b, 0
}

// join connects two sockets.
func (s *socket) join(p *socket) {
	s.peer, p.peer = p, s
	s.state, p.state = connected, connected
	s.way, p.way = &way{from: s, to: p, life: p.life}, &way{from: p, to: s, life: s.life}
	s.edge, p.edge = s.sent+uint64(p.rcvbuf()), p.sent+uint64(s.rcvbuf())
}

func (s *socket) isStream() bool { return s.kind == sys.SockStream }

// ready returns the poll mask.
func (s *socket) ready() (mask uint32) {
	if s.err != 0 {
		mask |= sys.PollErr
	}
	if !s.isStream() && s.kind != sys.SockSeqpacket {
		if len(s.packets) > 0 || s.shutIn {
			mask |= sys.PollIn
		}
		if s.writable() {
			mask |= sys.PollOut
		}
		return mask
	}
	switch s.state {
	case listening:
		if len(s.queue) > 0 {
			mask |= sys.PollIn
		}
		return mask
	case fresh:
		if s.err != 0 {
			return mask | sys.PollOut | sys.PollHup | sys.PollIn
		}
		return mask | sys.PollOut | sys.PollHup
	case connecting:
		return mask
	}
	if s.ended || s.shutIn || s.state == closed {
		mask |= sys.PollIn | sys.PollRdhup
	}
	if s.state == closed || (s.ended || s.shutIn) && s.shutOut {
		mask |= sys.PollHup
	}
	if s.in.len() > 0 || len(s.packets) > 0 || s.err != 0 {
		mask |= sys.PollIn
	}
	if s.writable() || s.shutOut || s.state == closed {
		mask |= sys.PollOut
	}
	return mask
}

// receives takes what has come: bytes of a stream, or one message.
func (s *socket) receives(bufs [][]byte, from *sys.Sockaddr, flags uint32) (n int32, beside arrival, out uint32) {
	if s.isStream() {
		n, beside.files = s.receive(bufs, flags)
		return n, beside, 0
	}
	return s.take(bufs, from, flags)
}

// sends sends bytes or a message; to is the address of a datagram.
func (s *socket) sends(bufs [][]byte, beside ancillary, to *sys.Sockaddr) int32 {
	if s.isStream() {
		return s.send(bufs, beside.files)
	}
	return s.sendPacket(bufs, beside, to)
}

// takeErr returns the pending error, and clears it.
func (s *socket) takeErr() int32 {
	e := s.err
	s.err = 0
	return e
}

func (s *socket) sndbuf() int { return s.optionOr(sys.SolSocket, sys.SoSndbuf, sendSpace) }

func (s *socket) rcvbuf() int { return s.optionOr(sys.SolSocket, sys.SoRcvbuf, receiveSpace) }

// sendRoom returns how many bytes would be accepted.
func (s *socket) sendRoom() int {
	room := s.sndbuf() - s.out.len() - int(s.sent-s.acked) - s.lent
	if s.queues() {
		room -= s.peer.in.len()
	}
	return room
}

// queues reports whether bytes that are sent go to the peer's queue at once, and count as the sender's until they are
// read: between Unix sockets, where there is no window.
func (s *socket) queues() bool { return s.family == sys.AFUnix && s.peer != nil }

// writable reports whether enough room is left to report the socket as writable.
func (s *socket) writable() bool {
	if s.family == sys.AFUnix {
		return 4*s.sendRoom() >= 3*s.sndbuf() // unix_writable
	}
	return 3*s.sendRoom() >= s.sndbuf() // sk_stream_is_writeable
}
