package memkernel

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"

	"ringo/internal/cmsg"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// packet is a datagram, or a record of a seqpacket socket.
type packet struct {
	data  []byte
	from  netip.AddrPort
	name  string // of a Unix sender
	files []*openFile
	to    netip.Addr
	tos   uint8
	ttl   uint8
	came  sys.StatxTime
	drops uint32  // datagrams that its socket has dropped before it, for sockets that ask for that
	by    *socket // the Unix socket that sent it, whose buffer it uses
}

// drop closes the files that came with it.
func (p *packet) drop() {
	dropAll(p.files)
	p.files = nil
	p.giveUp()
}

// giveUp returns the room that it takes to its sender.
func (p *packet) giveUp() {
	if s := p.by; s != nil {
		p.by = nil
		if s.lent -= len(p.data) + packetCost; s.writable() {
			s.tell()
		}
	}
}

// packetCost is what a queued datagram takes of the buffer in addition to its bytes.
const packetCost = 256

// associate sets the peer of a datagram socket.
func (s *socket) associate(to *sys.Sockaddr) int32 {
	if to.Family() == sys.AFUnspec {
		s.remote, s.peer, s.peerName = netip.AddrPort{}, nil, ""
		return 0
	}
	if s.family == sys.AFUnix {
		name, ok := unixNameOf(to)
		if !ok || name == "" {
			return -sys.EINVAL
		}
		p, res := s.h.named(name)
		if res < 0 {
			return res
		}
		if p.kind != s.kind {
			return -int32(sys.EPROTOTYPE)
		}
		s.peer, s.peerName = p, name
		s.state = fresh
		return 0
	}
	at := to.AddrPort()
	if !at.IsValid() {
		return -sys.EINVAL
	}
	if at.Addr().Is4() != (s.family == sys.AFInet) {
		return -int32(sys.EAFNOSUPPORT)
	}
	at = s.resolved(at)
	if res := s.bindFor(at.Addr()); res < 0 {
		return res
	}
	s.remote = at
	return 0
}

// sendPacket sends a datagram, to an address or to the peer.
func (s *socket) sendPacket(bufs [][]byte, beside ancillary, to *sys.Sockaddr) int32 {
	if s.err != 0 {
		return -s.takeErr()
	}
	if s.shutOut {
		return -sys.EPIPE
	}
	n := size(bufs)
	p := packet{data: make([]byte, 0, n), from: s.local, name: s.name, files: beside.files}
	for _, b := range bufs {
		p.data = append(p.data, b...)
	}
	if s.family == sys.AFUnix {
		return s.sendLocal(p, to)
	}
	at := s.remote
	if to != nil && to.Len() > 0 {
		if at = to.AddrPort(); !at.IsValid() {
			return -sys.EINVAL
		}
		if at.Addr().Is4() != (s.family == sys.AFInet) {
			return -int32(sys.EAFNOSUPPORT)
		}
		at = s.resolved(at)
	}
	switch {
	case !at.IsValid():
		return -int32(sys.EDESTADDRREQ)
	case at.Port() == 0:
		return -sys.EINVAL
	}
	if s.bound == nil {
		if res := s.bindFree(); res < 0 {
			return res
		}
	}
	if p.from = s.local; p.from.Addr().IsUnspecified() || p.from.Addr().IsMulticast() {
		p.from = netip.AddrPortFrom(s.sourceFor(at.Addr()), s.local.Port())
	}
	if beside.local.IsValid() {
		p.from = netip.AddrPortFrom(beside.local, s.local.Port())
	}
	p.to = at.Addr()
	p.tos, p.ttl = s.header(beside, p.to.Unmap())
	if p.to.IsMulticast() {
		for _, peer := range s.members(at, p.from) {
			if res := s.sendTo(peer, at, p, beside); res < 0 {
				return res
			}
		}
		return int32(n)
	}
	peer := s.h.net.hostOf(s.h, at.Addr())
	if peer == nil {
		return -int32(sys.ENETUNREACH)
	}
	return s.sendTo(peer, at, p, beside)
}

// sendTo sends what may be several datagrams to one host.
func (s *socket) sendTo(peer *Host, at netip.AddrPort, p packet, beside ancillary) int32 {
	n := len(p.data)
	size, res := s.sizeOf(n, beside, at.Addr(), s.h.net.link(s.h, peer))
	if res < 0 {
		return res
	}
	for all := p.data; len(all) > size; all = all[size:] {
		p.data = all[:size:size]
		s.travel(peer, at, p)
		p.data = all[size:]
	}
	s.travel(peer, at, p)
	return int32(n)
}

// members returns the hosts to which a multicast travels: those on which a socket has joined the group.
func (s *socket) members(at, from netip.AddrPort) (hosts []*Host) {
	level, loop := sys.ProtoIPv6, sys.IPv6MulticastLoop
	if at.Addr().Unmap().Is4() {
		level, loop = cmsg.LevelIP, sys.IPMulticastLoop
	}
	for _, h := range s.h.net.all {
		if (h != s.h || s.optionOr(level, loop, 1) != 0) && len(h.receivers(at, from)) > 0 {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// hasJoined reports whether the socket is a member of a multicast group. There are no interfaces to tell apart.
func (s *socket) hasJoined(group netip.Addr) bool {
	for joined := range s.groups {
		if strings.HasPrefix(joined, string(group.Unmap().AsSlice())) {
			return true
		}
	}
	return false
}

// travel sends a datagram over the network.
func (s *socket) travel(peer *Host, at netip.AddrPort, p packet) {
	n := s.h.net
	arrive := func() {
		if peer.down {
			return
		}
		all := peer.receivers(at, p.from)
		for _, t := range all {
			t.deliver(p)
		}
		if len(all) > 0 || at.Addr().IsMulticast() {
			return
		}
		refuse := func() { s.refused(at) }
		if n.near(s.h, peer) {
			refuse()
		} else {
			n.once(n.link(peer, s.h), peer, s.h, refuse)
		}
	}
	if n.near(s.h, peer) {
		arrive()
		return
	}
	l := n.link(s.h, peer)
	longest := max(world.Sum(int64(l.Latency), int64(l.Jitter)), int64(reorderLeast))
	copies := 1
	if n.happens(Duplicated, s.h, peer, l.Duplicate) {
		copies = 2
	}
	var waits *late
	for i := range copies {
		size := len(p.data) + headers(at.Addr())
		if n.losesAny(l, s.h, peer, size) {
			continue
		}
		at := n.w.Later(n.delay(l, s.h, peer, size))
		if i > 0 && n.w.Chance(0.5) { // by another way, behind what was sent later
			most := world.Sum(longest, longest)
			at = world.Sum(at, n.w.Rand().Int64N(world.Sum(most, most)))
		}
		latest := at
		if came := n.overtaken(s.h, peer, l.Reorder); came != nil {
			latest = world.Sum(latest, longest)
			waits = &late{at: at, latest: latest, came: came}
			n.wait(s.h, peer, waits, arrive)
		} else {
			n.w.At(at, arrive)
			n.overtake(s.h, peer, at, waits)
		}
		n.see(Packet{From: s.h, To: peer, Bytes: size, Arrives: latest})
	}
}

// refused tells a socket with a peer that no socket is there.
func (s *socket) refused(at netip.AddrPort) {
	if s.remote == at && !s.gone {
		s.err = sys.ECONNREFUSED
		s.tell()
	}
}

// receivers returns the sockets that get a datagram: of a multicast all that have joined, of others the one that suits
// best. Among those that share a port by SO_REUSEPORT, both addresses choose, so each gets some of the peers.
func (h *Host) receivers(at, from netip.AddrPort) (best []*socket) {
	b := h.ports[portKey{sys.SockDgram, at.Port()}]
	if b == nil {
		return nil
	}
	most := 1
	for _, s := range b.sockets {
		switch n := s.suits(at, from); {
		case at.Addr().IsMulticast():
			if n > 0 && s.hasJoined(at.Addr()) {
				best = append(best, s)
			}
		case n > most:
			best, most = append(best[:0], s), n
		case n == most:
			best = append(best, s)
		}
	}
	if len(best) < 2 || at.Addr().IsMulticast() {
		return best
	}
	i := uint32(0)
	if best[0].isOn(sys.SolSocket, sys.SoReuseport) {
		hash := fnv.New32a()
		fmt.Fprint(hash, at, from)
		i = hash.Sum32() % uint32(len(best))
	}
	return best[i : i+1]
}

// suits returns how well a datagram suits a socket, 0 if not at all: one that is connected to the sender comes before
// one that is bound to the address, and that before one that is bound to all addresses.
func (s *socket) suits(at, from netip.AddrPort) int {
	n, ip := 1, s.local.Addr()
	switch {
	case ip.Unmap() == at.Addr().Unmap():
		n += 2
	case !ip.IsUnspecified(), ip.Is4() && !at.Addr().Unmap().Is4():
		return 0
	}
	if s.remote.IsValid() {
		if s.remote.Addr().Unmap() != from.Addr().Unmap() || s.remote.Port() != from.Port() {
			return 0
		}
		n += 4
	}
	return n
}

// deliver queues a datagram, if there is room.
func (s *socket) deliver(p packet) {
	cost := len(p.data) + packetCost
	full := s.held+cost > s.rcvbuf()
	if s.gone || s.shutIn || full {
		if full {
			s.drops++
		}
		p.drop()
		return
	}
	if s.isOn(sys.SolSocket, sys.SoRxqOvfl) {
		p.drops = s.drops
	}
	if s.family == sys.AFInet6 && p.from.Addr().Is4() {
		p.from = mapped(p.from)
	}
	p.came = s.h.wall()
	s.packets = append(s.packets, p)
	s.held += cost
	s.tell()
}

// sendLocal sends a datagram or a record of a Unix socket. If the receiver has no room, the sender waits.
func (s *socket) sendLocal(p packet, to *sys.Sockaddr) int32 {
	peer := s.peer
	if to != nil && to.Len() > 0 && s.kind == sys.SockDgram {
		name, ok := unixNameOf(to)
		if !ok {
			return -sys.EINVAL
		}
		var res int32
		if peer, res = s.h.named(name); res < 0 {
			return res
		}
		if peer.kind != s.kind {
			return -int32(sys.EPROTOTYPE)
		}
	}
	switch {
	case peer == nil:
		return -sys.ENOTCONN
	case peer.gone && s.kind == sys.SockDgram:
		return -sys.ECONNREFUSED
	case peer.gone, peer.shutIn:
		return -sys.EPIPE
	case len(p.data) > s.sndbuf()-32:
		return -sys.EMSGSIZE
	case s.sendRoom() <= 0:
		return -sys.EAGAIN
	case len(peer.packets) > unixQueueMax:
		peer.wanted = append(peer.wanted, s)
		return -sys.EAGAIN
	}
	for _, f := range p.files {
		f.refs++
	}
	p.by, p.came = s, s.h.wall()
	s.lent += len(p.data) + packetCost
	peer.packets = append(peer.packets, p)
	peer.held += len(p.data) + packetCost
	peer.tell()
	return int32(len(p.data))
}

// unixQueueMax is the most datagrams that are queued at a Unix socket: max_dgram_qlen.
const unixQueueMax = 512

// take takes a datagram.
func (s *socket) take(bufs [][]byte, from *sys.Sockaddr, flags uint32) (n int32, beside arrival, out uint32) {
	if len(s.packets) == 0 {
		switch {
		case s.err != 0:
			return -s.takeErr(), beside, 0
		case s.shutIn, s.kind == sys.SockSeqpacket && (s.ended || s.state == closed):
			return 0, beside, 0
		case s.kind == sys.SockSeqpacket && s.state != connected:
			return -sys.ENOTCONN, beside, 0
		}
		return -sys.EAGAIN, beside, 0
	}
	p := s.packets[0]
	if from != nil {
		switch {
		case s.family != sys.AFUnix:
			from.Set(p.from)
		case p.name == "":
			*from = sys.Sockaddr{}
		default:
			setUnixName(from, p.name)
		}
	}
	copied := scatter(bufs, p.data)
	if n = int32(copied); copied < len(p.data) {
		if out |= sys.MsgTrunc; flags&sys.MsgTrunc != 0 {
			n = int32(len(p.data))
		}
	}
	if flags&sys.MsgPeek != 0 {
		return n, arrival{told: s.told(&p)}, out
	}
	s.packets = s.packets[1:]
	s.held -= len(p.data) + packetCost
	p.giveUp()
	for _, w := range s.wanted {
		w.tell()
	}
	s.wanted = s.wanted[:0]
	return n, arrival{p.files, s.told(&p)}, out
}
