//go:build linux

package memkernel

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

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
	if !s.closedFirst || h.down || len(all) >= remnantsMax {
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

// waitsOut reports whether a socket can't be bound to a port for what is left there.
func (s *socket) waitsOut(port uint16) bool {
	if s.kind != sys.SockStream {
		return false
	}
	for _, r := range s.h.remnantsOf(port) {
		if s.collides(r.s) {
			return true
		}
	}
	return false
}

// again reports whether a connection from a port would have both addresses of one that is left.
func (s *socket) again(port uint16, to netip.AddrPort) bool {
	from := s.local.Addr()
	if !from.IsValid() || from.IsUnspecified() {
		from = s.sourceFor(to.Addr())
	}
	same := func(a, b netip.Addr) bool { return a.Unmap() == b.Unmap() }
	for _, r := range s.h.remnantsOf(port) {
		if r.s.remote.Port() == to.Port() && same(r.s.remote.Addr(), to.Addr()) && same(r.s.local.Addr(), from) &&
			!(to.Addr().Unmap().IsLoopback() && s.h.w.Now()-r.since >= int64(reusedAfter)) {
			return true
		}
	}
	return false
}

// connectable gives the socket the host's address for a destination, and a port from which it has no connection to
// there, nor had one a minute ago.
func (s *socket) connectable(to netip.AddrPort) int32 {
	if s.bound != nil && s.again(s.local.Port(), to) {
		return -sys.EADDRNOTAVAIL
	}
	if s.bound == nil {
		if res := s.pickPort(func(port uint16) bool { return !s.again(port, to) }); res < 0 {
			return -sys.EADDRNOTAVAIL // of a bind it is EADDRINUSE
		}
	}
	return s.bindFor(to.Addr())
}

// reuses reports whether the socket has SO_REUSEADDR.
func (s *socket) reuses() bool { return s.isOn(sys.SolSocket, unix.SO_REUSEADDR) }
