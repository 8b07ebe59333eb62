package memkernel

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// portKey is a port of a protocol.
type portKey struct {
	kind int
	port uint16
}

// binding is the sockets that have one port, those among them that nobody has any more until their connection is over.
type binding struct {
	key      portKey
	sockets  []*socket // that have taken it
	accepted []*socket // connections that have it of who listened
	turn     int       // of those that share the port, who gets the next connection
}

// finWait is how long the peer's end is awaited by a connection that nobody has any more: tcp_fin_timeout.
const finWait = time.Minute

// has reports whether one of the sockets is so.
func (b *binding) has(so func(o *socket) bool) bool {
	return slices.ContainsFunc(b.sockets, so) || slices.ContainsFunc(b.accepted, so)
}

// seats has a connection that is accepted share the port.
func (b *binding) seats(s *socket) {
	if len(b.accepted) == cap(b.accepted) {
		b.prune()
	}
	b.accepted = append(b.accepted, s)
	s.bound, s.seat = b, len(b.accepted)
}

// leavePort frees the socket's port, as far as the socket is concerned.
func (s *socket) leavePort() {
	b := s.bound
	switch {
	case b == nil:
		return
	case s.seat > 0:
		last := len(b.accepted) - 1
		b.accepted[s.seat-1] = b.accepted[last]
		b.accepted[s.seat-1].seat = s.seat
		b.accepted[last] = nil
		b.accepted = b.accepted[:last]
	default:
		i := slices.Index(b.sockets, s)
		b.sockets = slices.Delete(b.sockets, i, i+1)
	}
	s.bound, s.seat = nil, 0
	if len(b.sockets)+len(b.accepted) == 0 {
		delete(s.h.ports, b.key)
	}
}

// over ends the connection on this side. A port that it was given is free, and one that it has asked for once it is
// closed.
func (s *socket) over() {
	if s.state = closed; s.gone || !s.numbered {
		s.leavePort()
	}
}

// orphaned notes from when on a connection that nobody has any more waits for nothing but the peer's end: FIN_WAIT2.
func (s *socket) orphaned() {
	if s.gone && s.said && s.acked == s.sent && s.patient == 0 {
		s.patient = s.h.w.Later(finWait)
	}
}

// lapsed reports whether it was awaited in vain.
func (s *socket) lapsed() bool { return s.patient > 0 && s.h.w.Now() >= s.patient }

// prune takes those out that have waited in vain.
func (b *binding) prune() {
	for _, all := range [][]*socket{b.sockets, b.accepted} {
		for _, s := range slices.Clone(all) {
			if s.lapsed() {
				s.leavePort()
			}
		}
	}
}

// portOf is who has a port; nil: nobody.
func (h *Host) portOf(key portKey) *binding {
	if b := h.ports[key]; b != nil && b.has((*socket).lapsed) {
		b.prune()
	}
	return h.ports[key]
}

// seated are the host's sockets that have a port, also if no descriptor leads to them.
func (h *Host) seated() (all []*socket) {
	inOrder := func(a, b portKey) int { return cmp.Or(a.kind-b.kind, cmp.Compare(a.port, b.port)) }
	for _, key := range slices.SortedFunc(maps.Keys(h.ports), inOrder) {
		b := h.ports[key]
		all = append(append(all, b.sockets...), b.accepted...)
	}
	return all
}
