package memkernel

import (
	"net/netip"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// socket is an end point of any family and kind.
type socket struct {
	watchList
	h        *Host
	family   int
	kind     int
	protocol int
	state    state
	options  []setting       // that were set
	groups   map[string]bool // multicast memberships

	local, remote netip.AddrPort
	name          string // of a Unix socket; a NUL in front: abstract
	peerName      string
	bound         *binding  // of an address
	seat          int       // in that, of a connection that was accepted; 0: of others
	numbered      bool      // its port was asked for, and stays its own until it is closed
	dialled       bool      // its port was picked for its peer's address, so that others may have it to other peers
	file          *unixName // of a name
	cred          sys.Ucred
	linger        int // seconds; negative: off

	err    int32 // SO_ERROR: told once
	peer   *socket
	in     stream
	rights []rightsAt // that came with bytes of in
	seen   uint64     // bytes of in that were taken, ever
	out    stream     // accepted, and not under way yet
	flying int        // under way to the peer
	sent   uint64     // bytes that have left, ever
	acked  uint64     // of which these were acknowledged
	edge   uint64     // up to which the peer has said that it has room
	way    *way       // to the peer
	ended  bool       // the peer has said that nothing will follow, behind all that it had accepted
	shutIn bool
	shutOut,
	said bool // the end has been queued, and has left
	closedFirst bool  // which it had before the peer's had come
	patient     int64 // until when the peer's is awaited once nobody has the socket any more; 0: for ever

	backlog int
	queue   []*socket // to be accepted

	packets  []packet  // of a socket of datagrams
	held     int       // their bytes
	drops    uint32    // how many there was no room for
	lent     int       // bytes of those that it has sent, and that a Unix socket has not given up yet
	wanted   []*socket // who found no room here
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
	closed // both ends know
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

// Socketpair makes two Unix sockets that are connected, as socketpair(2) does.
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

// join connects two ends.
func (s *socket) join(p *socket) {
	s.peer, p.peer = p, s
	s.state, p.state = connected, connected
	s.way, p.way = &way{from: s, to: p, life: p.life}, &way{from: p, to: s, life: s.life}
	s.edge, p.edge = s.sent+uint64(p.rcvbuf()), p.sent+uint64(s.rcvbuf())
}

func (s *socket) isStream() bool { return s.kind == sys.SockStream }

// ready is the poll mask.
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

// receives takes what has come: of a stream bytes, and else one message.
func (s *socket) receives(bufs [][]byte, from *sys.Sockaddr, flags uint32) (n int32, beside arrival, out uint32) {
	if s.isStream() {
		n, beside.files = s.receive(bufs, flags)
		return n, beside, 0
	}
	return s.take(bufs, from, flags)
}

// sends is its other direction; to is a datagram's.
func (s *socket) sends(bufs [][]byte, beside ancillary, to *sys.Sockaddr) int32 {
	if s.isStream() {
		return s.send(bufs, beside.files)
	}
	return s.sendPacket(bufs, beside, to)
}

// takeErr is the pending error, told once.
func (s *socket) takeErr() int32 {
	e := s.err
	s.err = 0
	return e
}

func (s *socket) sndbuf() int { return s.optionOr(sys.SolSocket, sys.SoSndbuf, sendSpace) }

func (s *socket) rcvbuf() int { return s.optionOr(sys.SolSocket, sys.SoRcvbuf, receiveSpace) }

// sendRoom is how many bytes would be accepted.
func (s *socket) sendRoom() int {
	room := s.sndbuf() - s.out.len() - int(s.sent-s.acked) - s.lent
	if s.queues() {
		room -= s.peer.in.len()
	}
	return room
}

// queues reports whether what is sent is in the peer's queue at once, and counts as the sender's until it is read: as
// between Unix sockets, where there is no window.
func (s *socket) queues() bool { return s.family == sys.AFUnix && s.peer != nil }

// writable reports whether so much room is left that who waits for it is told.
func (s *socket) writable() bool {
	if s.family == sys.AFUnix {
		return 4*s.sendRoom() >= 3*s.sndbuf() // unix_writable
	}
	return 3*s.sendRoom() >= s.sndbuf() // sk_stream_is_writeable
}
