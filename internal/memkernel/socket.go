//go:build linux

package memkernel

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
	"ringo/internal/world"
)

// socket is an end point of any family and kind.
type socket struct {
	watchList
	h        *Host
	family   int
	kind     int
	protocol int
	state    state
	options  map[option]int
	groups   map[string]bool // multicast memberships

	local, remote netip.AddrPort
	name          string // of a Unix socket; a NUL in front: abstract
	peerName      string
	bound         *binding  // of an address
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
	way    *way       // to the peer
	ended  bool       // the peer has said that nothing will follow, behind all that it had accepted
	shutIn bool
	shutOut,
	said bool // the end has been queued, and has left

	backlog int
	queue   []*socket // to be accepted
	coming  int       // that are in their handshake

	packets []packet  // of a socket of datagrams
	held    int       // their bytes
	wanted  []*socket // who found no room here
	gone    bool      // released
	dial    *world.Event
}

type state uint8

const (
	fresh state = iota
	listening
	connecting
	connected
	closed // both ends know
)

// rightsAt are descriptors that come with a byte of a stream.
type rightsAt struct {
	at    uint64 // that byte, counted from the first
	files []*openFile
}

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
		return -int32(unix.EAFNOSUPPORT)
	}
	kind &^= sys.SockNonblock | sys.SockCloexec
	switch {
	case family == sys.AFUnix && kind != sys.SockStream && kind != sys.SockDgram && kind != sys.SockSeqpacket:
		return -int32(unix.ESOCKTNOSUPPORT)
	case family != sys.AFUnix && kind != sys.SockStream && kind != sys.SockDgram:
		if kind == sys.SockRaw {
			return -sys.EPERM
		}
		return -int32(unix.ESOCKTNOSUPPORT)
	}
	want := 0
	if family != sys.AFUnix {
		if want = sys.ProtoTCP; kind == sys.SockDgram {
			want = sys.ProtoUDP
		}
		if protocol != 0 && protocol != want {
			return -int32(unix.EPROTONOSUPPORT)
		}
	}
	s := h.newSocket(family, kind)
	s.protocol = want
	return h.made(s, sys.ONonblock|sys.ORdwr, true)
}

func (h *Host) newSocket(family, kind int) *socket {
	return &socket{h: h, family: family, kind: kind, options: map[option]int{}, linger: -1,
		cred: sys.Ucred{PID: 1}}
}

// Pair makes two Unix sockets that are connected, as socketpair(2) does.
func (h *Host) Pair(kind int) (a, b, res int32) {
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
	s.way, p.way = &way{from: s, to: p}, &way{from: p, to: s}
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
		if s.sendRoom() > 0 {
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
	if s.sendRoom() >= s.sndbuf()/3 || s.shutOut || s.state == closed {
		mask |= sys.PollOut
	}
	return mask
}

// takeErr is the pending error, told once.
func (s *socket) takeErr() int32 {
	e := s.err
	s.err = 0
	return e
}

func (s *socket) sndbuf() int { return s.optionOr(sys.SolSocket, unix.SO_SNDBUF, sendSpace) }
func (s *socket) rcvbuf() int { return s.optionOr(sys.SolSocket, unix.SO_RCVBUF, receiveSpace) }

// sendRoom is how many bytes would be accepted.
func (s *socket) sendRoom() int { return s.sndbuf() - s.out.len() - s.flying }

// patience is how long it sends again what nobody answers.
func (s *socket) patience() time.Duration {
	if ms := s.options[option{sys.ProtoTCP, unix.TCP_USER_TIMEOUT}]; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return giveUp
}

// Listen has peers queue.
func (h *Host) Listen(fd int32, backlog int) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	switch {
	case res < 0:
		return res
	case s.kind == sys.SockDgram:
		return -sys.EOPNOTSUPP
	case s.state != fresh && s.state != listening:
		return -sys.EINVAL
	}
	if s.family == sys.AFUnix {
		if s.file == nil {
			return -sys.EINVAL
		}
	} else if s.bound == nil {
		if res := s.bindFree(); res < 0 {
			return res
		}
	}
	if s.state == fresh && s.bound != nil && !s.bound.mayListen(s) {
		return -sys.EADDRINUSE
	}
	if s.backlog = backlog; backlog < 0 || backlog > backlogMax {
		s.backlog = backlogMax
	}
	s.state = listening
	return 0
}

// connect begins a connection, or sets the peer of a socket of datagrams.
func (s *socket) connect(to *sys.Sockaddr) int32 {
	if s.kind == sys.SockDgram {
		return s.associate(to)
	}
	if to.Family() == sys.AFUnspec {
		return s.disconnect()
	}
	switch s.state {
	case connecting:
		return -sys.EALREADY
	case connected, closed:
		return -sys.EISCONN
	case listening:
		return -sys.EISCONN
	}
	if e := s.takeErr(); e != 0 {
		return -e
	}
	if s.family == sys.AFUnix {
		return s.connectUnix(to)
	}
	at := to.AddrPort()
	if !at.IsValid() {
		return -sys.EINVAL
	}
	if at.Addr().Is4() != (s.family == sys.AFInet) {
		return -int32(unix.EAFNOSUPPORT)
	}
	at = s.resolved(at)
	peer := s.h.net.hostOf(s.h, at.Addr())
	if peer == nil {
		return -int32(unix.ENETUNREACH)
	}
	if s.bound == nil {
		s.local = netip.AddrPortFrom(s.sourceFor(at.Addr()), 0)
		if res := s.bindFree(); res < 0 {
			return res
		}
	}
	if s.local.Addr().IsUnspecified() {
		s.local = netip.AddrPortFrom(s.sourceFor(at.Addr()), s.local.Port())
	}
	s.remote, s.state = at, connecting
	s.ask(peer, 0)
	return -sys.EINPROGRESS
}

// ask sends the first packet of a handshake, and again while nobody answers.
func (s *socket) ask(peer *Host, tries int) {
	n := s.h.net
	there, back := n.link(s.h, peer), n.link(peer, s.h)
	answer := func(res int32, accepted *socket) {
		deliver := func() { s.answered(res, accepted) }
		if n.near(s.h, peer) {
			deliver()
		} else if !back.Cut && !n.w.Chance(back.Loss) {
			n.w.After(n.delay(back, peer, s.h, 60), deliver)
		}
	}
	arrive := func() {
		l := peer.listener(s.remote)
		switch {
		case s.state != connecting:
		case s.peer != nil: // the answer to an earlier one got lost
			answer(0, s.peer)
		case l == nil:
			answer(sys.ECONNREFUSED, nil)
		case len(l.queue) > l.backlog: // a full backlog says nothing
		default:
			answer(0, l.accepts(s))
		}
	}
	if n.near(s.h, peer) {
		arrive()
	} else if !there.Cut && !n.w.Chance(there.Loss) {
		n.w.After(n.delay(there, s.h, peer, 60), arrive)
	}
	if s.state != connecting {
		return
	}
	s.dial = s.h.w.After(time.Second<<tries, func() {
		if s.dial = nil; tries == synTries {
			s.fail(sys.ETIMEDOUT)
		} else if s.state == connecting {
			s.ask(peer, tries+1)
		}
	})
}

// answered ends the handshake.
func (s *socket) answered(res int32, accepted *socket) {
	if s.state != connecting || s.gone {
		return
	}
	s.h.w.Drop(s.dial)
	s.dial = nil
	if res != 0 {
		s.fail(res)
		return
	}
	s.state = connected
	s.tell()
	accepted.pump()
}

// fail ends a connect.
func (s *socket) fail(e int32) {
	if s.state == connecting {
		s.state, s.err = fresh, e
		s.tell()
	}
}

// accepts makes the listener's end of a connection. It can be accepted at once.
func (l *socket) accepts(from *socket) *socket {
	s := l.h.newSocket(l.family, l.kind)
	s.protocol = l.protocol
	for o, v := range l.options {
		s.options[o] = v
	}
	s.linger = l.linger
	s.state = connected
	s.local, s.remote = from.remote, from.local
	s.name, s.peerName = l.name, from.name
	if l.family == sys.AFInet6 && s.local.Addr().Is4() {
		s.local = mapped(s.local)
		s.remote = mapped(s.remote)
	}
	s.join(from)
	from.state = connecting // until it hears of it
	l.queue = append(l.queue, s)
	l.tell()
	return s
}

func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// accept takes the next connection.
func (h *Host) accept(fd int32) int32 {
	l, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	switch {
	case res < 0:
		return res
	case l.kind == sys.SockDgram:
		return -sys.EOPNOTSUPP
	case l.state != listening:
		return -sys.EINVAL
	case len(l.queue) == 0:
		return -sys.EAGAIN
	}
	s := l.queue[0]
	n := h.give(&openFile{refs: 1, flags: sys.ONonblock | sys.ORdwr, object: s}, true)
	if n < 0 {
		return n // it stays in the queue
	}
	l.queue = l.queue[1:]
	return n
}

// released is the end of the last descriptor.
func (s *socket) released() {
	if s.gone {
		return
	}
	s.gone = true
	s.h.w.Drop(s.dial)
	if s.state == listening {
		for _, c := range s.queue {
			c.gone = true
			c.reset(0)
		}
		s.queue = nil
	}
	s.unbind()
	for _, p := range s.packets {
		p.drop()
	}
	s.packets = nil
	for _, r := range s.rights {
		for _, f := range r.files {
			f.drop()
		}
	}
	s.rights = nil
	if s.peer == nil || s.state != connected && s.state != connecting {
		return
	}
	switch {
	case s.kind != sys.SockStream || s.family == sys.AFUnix:
		unread := s.in.len() > 0
		s.finish()
		if p := s.peer; p != nil && s.family == sys.AFUnix && s.kind != sys.SockDgram {
			if p.state = closed; unread {
				p.err = sys.ECONNRESET
			}
			p.tell()
		}
	case s.linger == 0 || s.in.len() > 0 || s.state == connecting:
		s.reset(0)
	default:
		s.finish()
	}
}

// finish says that nothing will follow, behind all that was accepted.
func (s *socket) finish() {
	if !s.shutOut {
		s.shutOut = true
		s.pump()
	}
}

// Shutdown ends directions.
func (h *Host) Shutdown(fd int32, how int) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	switch {
	case res < 0:
		return res
	case how < unix.SHUT_RD || how > unix.SHUT_RDWR:
		return -sys.EINVAL
	case s.state == listening:
		if how != unix.SHUT_WR { // which ends it
			s.state = fresh
			for _, c := range s.queue {
				c.gone = true
				c.reset(0)
			}
			s.queue = nil
			s.tell()
		}
		return 0
	case s.kind == sys.SockDgram && s.family != sys.AFUnix && !s.remote.IsValid():
		return -sys.ENOTCONN
	case s.kind != sys.SockDgram && s.state != connected:
		return -sys.ENOTCONN
	}
	if how != unix.SHUT_RD {
		s.finish()
	}
	if how != unix.SHUT_WR {
		s.shutIn = true
		if s.family == sys.AFUnix && s.peer != nil && s.isStream() { // whose peer learns of it
			s.peer.shutOut, s.peer.said = true, true
			s.peer.tell()
		}
	}
	s.tell()
	return 0
}

// pump sends what has been accepted, as far as the peer has room.
func (s *socket) pump() {
	p := s.peer
	if p == nil || s.way == nil || s.said || s.state != connected {
		return
	}
	for s.out.len() > 0 {
		room := p.rcvbuf() - p.in.len() - s.flying
		if p.gone || p.shutIn && s.family != sys.AFUnix {
			room = s.out.len() // it arrives, and is refused or dropped
		}
		if room <= 0 {
			return
		}
		data := s.out.cut(min(room, segmentMax))
		s.flying += len(data)
		s.way.send(len(data)+40, func() {
			s.flying -= len(data)
			p.arrived(data)
			if s.sendRoom() >= s.sndbuf()/3 {
				s.tell()
			}
		})
		if s.state != connected {
			return
		}
	}
	if s.shutOut && !s.said {
		s.said = true
		s.way.send(40, func() {
			p.ended = true
			if p.said && s.ended {
				p.settled()
				s.settled()
				s.tell()
			}
			p.tell()
		})
	}
}

// segmentMax is how many bytes travel as one.
const segmentMax = 1 << 16

// settled notes that both directions of a connection have ended.
func (s *socket) settled() {
	if s.state == connected && s.family != sys.AFUnix {
		s.state = closed
	}
}

// arrived takes in bytes of the peer's.
func (s *socket) arrived(data []byte) {
	switch {
	case s.h.down:
	case (s.gone || s.shutIn && s.said) && s.state == connected && s.family != sys.AFUnix:
		s.reset(sys.ECONNRESET) // nobody will read them, which the peer is told
	case s.gone, s.shutIn, s.state == closed:
	default:
		s.in.put(data)
		s.tell()
	}
}

// reset ends a connection at once, and has the peer hear of it. e is what this end is told.
func (s *socket) reset(e int32) {
	p := s.peer
	s.state = closed
	s.out, s.said, s.shutOut = stream{}, true, true
	if s.way != nil {
		s.way.stop()
	}
	if e != 0 && !s.gone {
		s.err = e
		s.tell()
	}
	if p == nil || p.gone && p.state == closed {
		return
	}
	hear := func() {
		if p.state == connecting {
			p.fail(sys.ECONNREFUSED)
			return
		}
		if p.state != connected {
			return
		}
		p.state, p.out = closed, stream{}
		if p.way != nil {
			p.way.stop()
		}
		if p.err = sys.ECONNRESET; p.ended {
			p.err = sys.EPIPE
		}
		p.shutOut, p.said = true, true
		p.tell()
	}
	if s.way == nil {
		hear()
		return
	}
	s.way.send(40, hear)
}

// timedOut is the end of a connection whose peer answers nothing.
func (s *socket) timedOut() {
	s.state, s.out = closed, stream{}
	s.err, s.shutOut, s.said = sys.ETIMEDOUT, true, true
	s.tell()
}

// disconnect undoes a connection: connect(2) to AF_UNSPEC.
func (s *socket) disconnect() int32 {
	if s.state == connected || s.state == connecting {
		s.reset(0)
		s.h.w.Drop(s.dial)
	}
	s.state, s.peer, s.remote, s.way = fresh, nil, netip.AddrPort{}, nil
	s.err, s.ended, s.shutIn, s.shutOut, s.said = 0, false, false, false, false
	s.in = stream{}
	return 0
}

// receive takes bytes of a stream.
func (s *socket) receive(bufs [][]byte, flags uint32) (n int32, files []*openFile) {
	if s.state == listening || s.state == fresh || s.state == connecting {
		if e := s.takeErr(); e != 0 {
			return -e, nil
		}
		if s.family == sys.AFUnix {
			return -sys.EINVAL, nil
		}
		return -sys.ENOTCONN, nil
	}
	if s.in.len() == 0 {
		switch {
		case s.ended:
			return 0, nil
		case s.err != 0:
			return -s.takeErr(), nil
		case s.shutIn, s.state == closed:
			return 0, nil
		}
		return -sys.EAGAIN, nil
	}
	// A message with descriptors is not joined with what comes before or after it.
	limit := s.in.len()
	if len(s.rights) > 0 {
		if at := s.rights[0].at; at > s.seen {
			limit = min(limit, int(at-s.seen))
		} else if len(s.rights) > 1 {
			limit = min(limit, int(s.rights[1].at-s.seen))
		}
	}
	var total int
	if flags&sys.MsgPeek != 0 {
		p := make([]byte, min(limit, size(bufs)))
		s.in.peek(p)
		return int32(scatter(bufs, p)), nil
	}
	if len(s.rights) > 0 && s.rights[0].at <= s.seen {
		files = s.rights[0].files
		s.rights = s.rights[1:]
	}
	for _, b := range bufs {
		if total == limit {
			break
		}
		total += s.in.take(b[:min(len(b), limit-total)])
	}
	s.seen += uint64(total)
	if s.peer != nil {
		s.peer.opened()
	}
	return int32(total), files
}

// opened tells the sender that there is room again, which travels as long as all else does.
func (s *socket) opened() {
	if s.out.len() == 0 {
		return
	}
	n := s.h.net
	if n.near(s.h, s.peer.h) {
		s.pump()
		return
	}
	if l := n.link(s.peer.h, s.h); !l.Cut {
		n.w.After(n.delay(l, s.peer.h, s.h, 40), s.pump)
		return
	}
	n.w.After(retransmitFirst, s.probe)
}

// probe asks for room while the window is shut and nothing passes.
func (s *socket) probe() {
	if s.out.len() > 0 && s.state == connected {
		s.pump()
		if s.out.len() > 0 && s.flying == 0 {
			s.h.w.After(5*time.Second, s.probe)
		}
	}
}

// send accepts bytes of a stream.
func (s *socket) send(bufs [][]byte, files []*openFile) int32 {
	switch {
	case s.state == listening, s.state == fresh, s.state == connecting:
		if e := s.takeErr(); e != 0 {
			return -e
		}
		if s.state == connecting {
			return -sys.EAGAIN
		}
		if s.family == sys.AFUnix {
			return -sys.ENOTCONN
		}
		return -sys.EPIPE
	case s.err != 0:
		return -s.takeErr()
	case s.shutOut, s.state == closed:
		return -sys.EPIPE
	}
	total, room := size(bufs), s.sendRoom()
	if total == 0 {
		return 0
	}
	if room <= 0 {
		return -sys.EAGAIN
	}
	if len(files) > 0 && s.peer != nil {
		at := s.peer.seen + uint64(s.peer.in.len()+s.flying+s.out.len())
		for _, f := range files {
			f.refs++
		}
		s.peer.rights = append(s.peer.rights, rightsAt{at, files})
	}
	n := 0
	for _, b := range bufs {
		b = b[:min(len(b), room-n)]
		s.out.put(b)
		n += len(b)
	}
	s.pump()
	return int32(n)
}

// Peek reads what has come.
func (h *Host) Peek(fd int32, p []byte) int32 {
	s, _, res := find[*socket](h, fd, int32(unix.ENOTSOCK))
	if res < 0 {
		return res
	}
	if s.kind != sys.SockStream {
		n, _, _ := s.take([][]byte{p}, nil, sys.MsgPeek)
		return n
	}
	n, _ := s.receive([][]byte{p}, sys.MsgPeek)
	return n
}
