package memkernel

import (
	"net/netip"
	"time"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// Shutdown ends one direction, or both.
func (h *Host) Shutdown(fd int32, how int) int32 {
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	switch {
	case res < 0:
		return res
	case how < sys.ShutRd || how > sys.ShutRdwr:
		return -sys.EINVAL
	case s.state == listening:
		if how != sys.ShutWr { // a shutdown for reading ends the listening
			s.state = fresh
			s.refuseQueued()
			s.tell()
		}
		return 0
	case s.kind == sys.SockDgram && s.family != sys.AFUnix && !s.remote.IsValid():
		return -sys.ENOTCONN
	case s.kind != sys.SockDgram && s.family != sys.AFUnix && s.state != connected: // unix_shutdown does not check this
		return -sys.ENOTCONN
	}
	if how != sys.ShutRd {
		s.finish()
	}
	if how != sys.ShutWr {
		s.shutIn = true
		if s.family == sys.AFUnix && s.peer != nil && s.isStream() { // the peer learns of it
			s.peer.shutOut, s.peer.said = true, true
			s.peer.tell()
		}
	}
	s.tell()
	return 0
}

// refuseQueued resets the connections of a listener that were not accepted.
func (s *socket) refuseQueued() {
	for _, c := range s.queue {
		c.gone = true
		c.reset(0)
	}
	s.queue = nil
}

// finish announces that nothing follows, behind everything that was accepted.
func (s *socket) finish() {
	if !s.shutOut {
		s.shutOut = true
		s.pump()
	}
}

// settled records that both directions of a connection have ended.
func (s *socket) settled() {
	if s.state == connected && s.family != sys.AFUnix {
		s.remains()
		s.over()
	}
}

// released runs when the last descriptor is closed.
func (s *socket) released() {
	if s.gone {
		return
	}
	s.gone = true
	s.h.w.Drop(s.dial)
	if s.state == listening {
		s.refuseQueued()
	}
	s.unname()
	for _, p := range s.packets {
		p.drop()
	}
	s.packets = nil
	for _, r := range s.rights {
		dropAll(r.files)
	}
	s.rights = nil
	s.hangUp()
	if s.protocol == sys.ProtoTCP && s.state == connected {
		s.orphaned()
	} else {
		s.leavePort()
	}
}

// hangUp ends the connection of a socket without descriptors.
func (s *socket) hangUp() {
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

// reset ends a connection at once, and tells the peer. e is the error at this end.
func (s *socket) reset(e int32) {
	p := s.peer
	s.over()
	s.out, s.said, s.shutOut, s.aborted = stream{}, true, true, true
	if s.way != nil {
		s.way.stop()
	}
	if e != 0 && !s.gone {
		s.err = e
		s.tell()
	}
	if p != nil {
		s.sendReset()
	}
}

// sendReset tells the peer that there is no such connection, unless that is under way already. If the packet is lost,
// the peer learns of it when it sends something.
func (s *socket) sendReset() {
	p, y := s.peer, s.way
	switch {
	case p.gone && p.state == closed:
	case y == nil:
		p.hearReset()
	case !y.resets:
		y.resets = true
		if !y.once(40, world.NewEvent(func() {
			if y.resets = false; p.peer == s {
				p.hearReset()
			}
		})) {
			y.resets = false
			p.doubt() // keep-alive probes may find out
		}
	}
}

// forgot reports whether a running host knows nothing of a connection that its peer may still have.
func (s *socket) forgot() bool {
	return !s.h.down && s.family != sys.AFUnix && (s.vanished || s.aborted)
}

// forgotten reports whether the peer's socket has another connection, or none, by now.
func (y *way) forgotten() bool { return !y.to.h.down && y.to.life != y.life }

// refused tells the sender that the other end does not know the connection.
func (y *way) refused() {
	s, h := y.from, y.to.h
	n := s.h.net
	n.once(n.link(h, s.h), h, s.h, func() {
		if s.way == y {
			s.hearReset()
		}
	})
}

// hearReset handles the arrival of a reset.
func (s *socket) hearReset() {
	if s.state == connecting {
		s.fail(sys.ECONNREFUSED)
		return
	}
	if s.state != connected {
		return
	}
	s.over()
	s.out = stream{}
	if s.way != nil {
		s.way.stop()
	}
	if s.err = sys.ECONNRESET; s.ended {
		s.err = sys.EPIPE
	}
	s.shutOut, s.said = true, true
	s.tell()
}

// Reset ends the connections between two hosts, as a device between them may: both ends see it at once, or the one
// that still has the connection. It returns the number of connections.
func (n *Network) Reset(a, b *Host) (ended int) {
	for _, h := range []*Host{a, b} {
		for _, s := range h.sockets() {
			p := s.peer
			if s.protocol != sys.ProtoTCP || s.state != connected || p == nil {
				continue
			}
			if h == a && p.h == b || h == b && p.h == a {
				s.hearReset()
				p.hearReset()
				ended++
			}
		}
	}
	return ended
}

// sockets returns the host's sockets, including those that were not accepted yet, that have no descriptor left, or
// that are only in a message.
func (h *Host) sockets() (all []*socket) {
	seen := map[*socket]bool{}
	add := func(s *socket) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	for _, x := range h.numbers {
		if x == nil {
			continue
		}
		if s, ok := x.file.object.(*socket); ok {
			add(s)
			for _, c := range s.queue {
				add(c)
			}
		}
	}
	for _, s := range h.seated() {
		add(s)
	}
	return all
}

// timedOut ends a connection whose peer does not answer.
func (s *socket) timedOut() {
	s.over()
	s.out = stream{}
	s.way.stop()
	s.err, s.shutOut, s.said, s.aborted = sys.ETIMEDOUT, true, true, true
	s.tell()
}

// patience returns how long the socket sends again what is not acknowledged.
func (s *socket) patience() time.Duration {
	if ms := s.optionOr(sys.ProtoTCP, sys.TCPUserTimeout, 0); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return giveUp
}

// disconnect dissolves a connection: connect(2) to AF_UNSPEC.
func (s *socket) disconnect() int32 {
	if s.state == connected || s.state == connecting {
		s.reset(0)
		s.h.w.Drop(s.dial)
	}
	s.state, s.peer, s.remote, s.way = fresh, nil, netip.AddrPort{}, nil
	s.err, s.ended, s.shutIn, s.shutOut, s.said, s.closedFirst, s.aborted = 0, false, false, false, false, false, false
	switch {
	case s.dialled:
		s.local, s.dialled = netip.AddrPort{}, false
	case s.bound == nil:
		s.local = netip.AddrPortFrom(s.local.Addr(), 0)
	}
	s.in, s.seen, s.sent, s.acked, s.flying, s.doubted = stream{}, 0, 0, 0, 0, false
	s.life++
	return 0
}
