package memkernel

import (
	"time"

	"ringo/internal/sys"
)

// Keep-alive probes are sent only when they may find something: after a peer has crashed, or the way to it was cut. An
// idle connection with a living peer costs nothing, and does not keep a world from having nothing to do.

// Doubt starts the probes of the connections between two hosts, because the way between them was cut.
func (n *Network) Doubt(a, b *Host) {
	for _, h := range []*Host{a, b} {
		for _, s := range h.sockets() {
			if s.peer != nil && (s.peer.h == a || s.peer.h == b) && s.peer.h != h {
				s.doubt()
			}
		}
	}
}

// doubt starts the probes of a connection whose peer may be gone, if the connection uses keep-alive.
func (s *socket) doubt() {
	on := s.protocol == sys.ProtoTCP && s.isOn(sys.SolSocket, sys.SoKeepalive)
	if !on || s.state != connected || s.gone || s.doubted {
		return
	}
	s.doubted = true
	y := s.way
	seconds := func(name int) time.Duration {
		return time.Duration(s.optionOr(sys.ProtoTCP, name, known[option{sys.ProtoTCP, name}])) * time.Second
	}
	left, every := s.optionOr(sys.ProtoTCP, sys.TCPKeepcnt, 9), seconds(sys.TCPKeepintvl)
	var probe func()
	probe = func() {
		n, p := s.h.net, s.peer
		switch {
		case s.way != y: // it belongs to another connection by now
		case s.state != connected || s.gone || s.h.down || p == nil:
			s.doubted = false
		case n.link(s.h, p.h).Cut || n.link(p.h, s.h).Cut:
			if left--; left < 0 {
				s.timedOut()
				return
			}
			s.h.w.After(every, probe)
		case p.forgot(), y.forgotten():
			s.hearReset()
		default:
			s.doubted = false
		}
	}
	s.h.w.After(seconds(sys.TCPKeepidle), probe)
}
