package memkernel

import (
	"net/netip"
	"slices"
	"time"

	"ringo/internal/sys"
)

// Listen lets peers queue.
func (h *Host) Listen(fd int32, backlog int) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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

// Connect sets the peer of a datagram socket, and dissolves connections.
func (h *Host) Connect(fd int32, to *sys.Sockaddr) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	return s.connect(to)
}

// connect begins a connection, or sets the peer of a datagram socket.
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
		return -int32(sys.EAFNOSUPPORT)
	}
	at = s.resolved(at)
	peer := s.h.net.hostOf(s.h, at.Addr())
	if peer == nil {
		return -int32(sys.ENETUNREACH)
	}
	if res := s.connectable(at); res < 0 {
		return res
	}
	s.remote, s.state, s.peer, s.way = at, connecting, nil, nil
	s.life++
	s.ask(peer, 0)
	return -sys.EINPROGRESS
}

// ask sends the first packet of a handshake, and sends it again while no answer comes.
func (s *socket) ask(peer *Host, tries int) {
	n, life := s.h.net, s.life
	answer := func(res int32, accepted *socket) {
		deliver := func() {
			switch {
			case s.life == life && s.state == connecting && !s.gone:
				s.answered(res, accepted)
			case accepted != nil && (accepted.way.forgotten() || s.forgot()):
				accepted.way.refused()
			}
		}
		if n.near(s.h, peer) {
			deliver()
		} else {
			n.once(n.link(peer, s.h), peer, s.h, deliver)
		}
	}
	arrive := func() {
		l := peer.listener(s.remote)
		switch {
		case peer.down:
		case s.gone, s.state != connecting, s.life != life: // the answer would be refused
		case s.peer != nil: // the answer to an earlier packet was lost
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
	} else {
		n.once(n.link(s.h, peer), s.h, peer, arrive)
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
	if res != 0 {
		s.fail(res)
		return
	}
	s.h.w.Drop(s.dial)
	s.state = connected
	s.tell()
	accepted.pump()
}

// fail ends a connect. A peer that has accepted it, and whose answers were lost, gets a reset.
func (s *socket) fail(e int32) {
	if s.state == connecting {
		s.disconnect()
		s.err = e
		s.tell()
	}
}

// accepts makes the listener's end of a connection, which can be accepted at once.
func (l *socket) accepts(from *socket) *socket {
	s := l.h.newSocket(l.family, l.kind)
	s.protocol = l.protocol
	s.options = slices.Clone(l.options)
	s.linger = l.linger
	s.state = connected
	s.local, s.remote = from.remote, from.local
	s.name, s.peerName = l.name, from.name
	if l.family == sys.AFInet6 && s.local.Addr().Is4() {
		s.local = mapped(s.local)
		s.remote = mapped(s.remote)
	}
	s.join(from)
	from.state = connecting // until it hears of the connection
	if l.bound != nil {
		l.bound.seats(s)
	}
	l.queue = append(l.queue, s)
	l.tell()
	return s
}

func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// accept returns a descriptor of the next connection.
func (h *Host) accept(fd int32) int32 {
	l, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
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
	if res := h.lacks(sys.ENOBUFS); res < 0 {
		return res
	}
	s := l.queue[0]
	n := h.give(&openFile{refs: 1, flags: sys.ONonblock | sys.ORdwr, object: s}, true)
	if n < 0 {
		return n // the connection stays in the queue
	}
	l.queue = l.queue[1:]
	return n
}
