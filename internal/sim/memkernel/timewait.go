package memkernel

import (
	"net/netip"
	"slices"
	"time"

	"ringo/internal/sys"
)

// timeWait is how long the end of a connection that was the first to close keeps its addresses: TCP_TIMEWAIT_LEN.
const timeWait = time.Minute

// reusedAfter is when a connection within a host may have the addresses of such an end: with the 2 that is the default
// of net.ipv4.tcp_tw_reuse, behind the tick of its time stamps.
const reusedAfter = time.Second

// remnantsMax bounds those of a port, as net.ipv4.tcp_max_tw_buckets does those of a host: what ends beyond it leaves
// none.
const remnantsMax = 1 << 16

// remnant is what is left of a connection for that time: TIME_WAIT. A peer that has the other end's addresses again may
// connect, as on Linux: the SYN says that it is new.
type remnant struct {
	s     *socket // as it was, without its buffers
	since int64
}

// remains keeps what is left of a connection whose both directions have ended, if this end has closed first, or at the
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

// remnantsOf are those of a port, the oldest first.
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

// hasPort reports whether a socket that has a port, or what is left of one, is so.
func (h *Host) hasPort(key portKey, so func(o *socket) bool) bool {
	if b := h.portOf(key); b != nil && b.has(so) {
		return true
	}
	return key.kind == sys.SockStream &&
		slices.ContainsFunc(h.remnantsOf(key.port), func(r remnant) bool { return so(r.s) })
}

// from is the address that a connection to another has here.
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

// connects reports whether there is a connection from a port to there.
func (s *socket) connects(port uint16, to netip.AddrPort) bool {
	b, from := s.h.portOf(portKey{s.kind, port}), s.from(to)
	return b != nil && b.has(func(o *socket) bool {
		return o != s && (o.state == connecting || o.state == connected) && o.joins(from, to)
	})
}

// again reports whether there was one a while ago.
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
// there, nor was one a minute ago, unless the socket has asked for the port: by its time stamps the peer can tell the
// new one.
func (s *socket) connectable(to netip.AddrPort) int32 {
	if s.bound != nil && s.connects(s.local.Port(), to) {
		return -sys.EADDRNOTAVAIL
	}
	if s.bound == nil {
		res := s.pickPort(func(port uint16) bool {
			return s.dialledAlone(port) && !s.connects(port, to) && !s.again(port, to)
		})
		if res < 0 {
			return -sys.EADDRNOTAVAIL // of a bind it is EADDRINUSE
		}
		s.dialled = true
	}
	return s.bindFor(to.Addr())
}

// dialledAlone reports whether nobody has a port but connections for which it was picked.
func (s *socket) dialledAlone(port uint16) bool {
	b := s.h.portOf(portKey{s.kind, port})
	return b == nil || !b.has(func(o *socket) bool { return !o.dialled })
}

// reuses reports whether the socket has SO_REUSEADDR.
func (s *socket) reuses() bool { return s.isOn(sys.SolSocket, sys.SoReuseaddr) }
