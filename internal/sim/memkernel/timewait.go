package memkernel

import (
	"net/netip"
	"slices"
	"time"

	"ringo/internal/sys"
)

// timeWait is how long the end of a connection that closed first keeps its addresses: TCP_TIMEWAIT_LEN.
const timeWait = time.Minute

// reusedAfter is when a connection within a host may reuse the addresses of such an end: net.ipv4.tcp_tw_reuse is 2 by
// default, which allows that after a tick of the time stamps.
const reusedAfter = time.Second

// remnantsMax bounds the remnants of a port, as net.ipv4.tcp_max_tw_buckets does those of a host: beyond it,
// connections leave none.
const remnantsMax = 1 << 16

// remnant is what is left of a connection for that time: TIME_WAIT. A peer that has the other end's addresses again
// may connect, as on Linux: its SYN shows that the connection is new.
type remnant struct {
	s     *socket // as it was, without its buffers
	since int64
}

// remains keeps a remnant of a connection that has ended in both directions, if this end has closed first, or at the
// same time.
func (s *socket) remains() {
	h := s.h
	port := s.local.Port()
	all := h.remnantsOf(port)
	if !s.closedFirst || h.down || s.lapsed() || len(all) >= remnantsMax {
		return
	}
	rest := &socket{h: h, family: s.family, kind: s.kind, local: s.local, remote: s.remote, options: s.options,
		state: closed}
	if h.remnants == nil {
		h.remnants = map[uint16][]remnant{}
	}
	h.remnants[port] = append(all, remnant{rest, h.w.Now()})
}

// remnantsOf returns the remnants of a port, the oldest first.
func (h *Host) remnantsOf(port uint16) []remnant {
	all := h.remnants[port]
	n := 0
	for n < len(all) && h.w.Now()-all[n].since >= int64(timeWait) {
		n++
	}
	switch {
	case n == 0:
		return all
	case n == len(all):
		delete(h.remnants, port)
		return nil
	}
	clear(all[:n])
	h.remnants[port] = all[n:]
	return h.remnants[port]
}

// hasPort reports whether so is true for a socket that has a port, or for a remnant of one.
func (h *Host) hasPort(key portKey, so func(o *socket) bool) bool {
	if b := h.portOf(key); b != nil && b.has(so) {
		return true
	}
	return key.kind == sys.SockStream &&
		slices.ContainsFunc(h.remnantsOf(key.port), func(r remnant) bool { return so(r.s) })
}

// from returns the local address of a connection to another address.
func (s *socket) from(to netip.AddrPort) netip.Addr {
	if from := s.local.Addr(); from.IsValid() && !from.IsUnspecified() {
		return from
	}
	return s.sourceFor(to.Addr())
}

// joins reports whether a socket has, or had, these two addresses.
func (s *socket) joins(from netip.Addr, to netip.AddrPort) bool {
	same := func(a, b netip.Addr) bool { return a.Unmap() == b.Unmap() }
	return s.remote.Port() == to.Port() && same(s.remote.Addr(), to.Addr()) && same(s.local.Addr(), from)
}

// connects reports whether there is a connection from a port to the address.
func (s *socket) connects(port uint16, to netip.AddrPort) bool {
	b, from := s.h.portOf(portKey{s.kind, port}), s.from(to)
	return b != nil && b.has(func(o *socket) bool {
		return o != s && (o.state == connecting || o.state == connected) && o.joins(from, to)
	})
}

// again reports whether there was such a connection a while ago.
func (s *socket) again(port uint16, to netip.AddrPort) bool {
	from := s.from(to)
	for _, r := range s.h.remnantsOf(port) {
		if r.s.joins(from, to) && !(to.Addr().Unmap().IsLoopback() && s.h.w.Now()-r.since >= int64(reusedAfter)) {
			return true
		}
	}
	return false
}

// connectable gives the socket the host's address for a destination, and a port from which there is no connection to
// it, nor was one a minute ago. If the socket has asked for its port, an earlier connection does not matter: the peer
// can tell the new one by its time stamps.
func (s *socket) connectable(to netip.AddrPort) int32 {
	if s.bound != nil && s.connects(s.local.Port(), to) {
		return -sys.EADDRNOTAVAIL
	}
	if s.bound == nil {
		res := s.pickPort(func(port uint16) bool {
			return s.dialledAlone(port) && !s.connects(port, to) && !s.again(port, to)
		})
		if res < 0 {
			return -sys.EADDRNOTAVAIL // for a bind it is EADDRINUSE
		}
		s.dialled = true
	}
	return s.bindFor(to.Addr())
}

// dialledAlone reports whether only connections for which the port was picked have it.
func (s *socket) dialledAlone(port uint16) bool {
	b := s.h.portOf(portKey{s.kind, port})
	return b == nil || !b.has(func(o *socket) bool { return !o.dialled })
}

// reuses reports whether the socket has SO_REUSEADDR.
func (s *socket) reuses() bool { return s.isOn(sys.SolSocket, sys.SoReuseaddr) }
