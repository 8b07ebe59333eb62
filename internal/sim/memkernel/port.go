package memkernel

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// portKey identifies a port of a protocol.
type portKey struct {
	kind int
	port uint16
}

// binding is the sockets that have one port, including those without descriptors until their connection is over.
type binding struct {
	key      portKey
	sockets  []*socket // those that have taken it
	accepted []*socket // connections that have it from their listener
	turn     int       // which of the listeners that share the port gets the next connection
}

// finWait is how long a connection without descriptors waits for the peer's end: tcp_fin_timeout.
const finWait = time.Minute

// has reports whether so is true for one of the sockets.
func (b *binding) has(so func(o *socket) bool) bool {
	return slices.ContainsFunc(b.sockets, so) || slices.ContainsFunc(b.accepted, so)
}

// seats lets an accepted connection share the port.
func (b *binding) seats(s *socket) {
	if len(b.accepted) == cap(b.accepted) {
		b.prune()
	}
	b.accepted = append(b.accepted, s)
	s.bound, s.seat = b, len(b.accepted)
}

// leavePort gives up the socket's share of its port.
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

// over ends the connection on this side. A port that the kernel has chosen is freed now, one that the socket has asked
// for when it is closed.
func (s *socket) over() {
	if s.state = closed; s.gone || !s.numbered {
		s.leavePort()
	}
}

// orphaned notes when a connection without descriptors starts to wait only for the peer's end: FIN_WAIT2.
func (s *socket) orphaned() {
	if s.gone && s.said && s.acked == s.sent && s.patient == 0 {
		s.patient = s.h.w.Later(finWait)
	}
}

// lapsed reports whether it has waited too long.
func (s *socket) lapsed() bool { return s.patient > 0 && s.h.w.Now() >= s.patient }

// prune removes the sockets that have waited too long.
func (b *binding) prune() {
	for _, all := range [][]*socket{b.sockets, b.accepted} {
		for _, s := range slices.Clone(all) {
			if s.lapsed() {
				s.leavePort()
			}
		}
	}
}

// portOf returns the binding of a port; nil if no socket has it.
func (h *Host) portOf(key portKey) *binding {
	if b := h.ports[key]; b != nil && b.has((*socket).lapsed) {
		b.prune()
	}
	return h.ports[key]
}

// seated returns the host's sockets that have a port, including those without descriptors.
func (h *Host) seated() (all []*socket) {
	inOrder := func(a, b portKey) int { return cmp.Or(a.kind-b.kind, cmp.Compare(a.port, b.port)) }
	for _, key := range slices.SortedFunc(maps.Keys(h.ports), inOrder) {
		b := h.ports[key]
		all = append(append(all, b.sockets...), b.accepted...)
	}
	return all
}
