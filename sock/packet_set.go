package sock

import (
	"errors"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
)

// A PacketSet is a reserved UDP address, from which each loop of a Run takes a socket. The kernel spreads the peers
// over the sockets by a hash of the addresses, or as SteerQUIC says.
type PacketSet struct {
	reserved
	lc   ListenConfig
	addr netip.AddrPort
	udp  *net.UDPAddr // the same

	first int32 // the reserved socket, -1 once Listen has opened the others
	of    *loop.Set
	fds   []int32 // by index of the Run's loops: a socket that no loop has taken, or one of the constants below
	steer *int    // the place of the byte in a connection id, see SteerQUIC
}

// What has happened to a loop's socket.
const (
	socketTaken = -1 - iota
	socketClosed
)

// ReservePackets binds an address of UDP at once, before Run or during it: datagrams queue from now on. network is as
// for ListenPacket. Use it to get one port 0 for all loops, or to know the address early. Any goroutine may call it; a
// task parks while a host name is looked up.
func ReservePackets(network, address string) (*PacketSet, error) {
	return new(ListenConfig).ReservePackets(network, address)
}

// ReservePackets is like the function ReservePackets, with these options; those for TCP, and Balance, are ignored. It
// fails for a multicast address, since each socket would get all its datagrams.
func (lc *ListenConfig) ReservePackets(network, address string) (*PacketSet, error) {
	if err := loop.Astray("ListenConfig.ReservePackets"); err != nil {
		return nil, listenError(network, nil, err)
	}
	ap, err := resolveHere(network, address, checkPacketNetwork)
	if err == nil && ap.Addr().IsMulticast() {
		err = errSetOfGroup
	}
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	set := &PacketSet{reserved: reserve(network), lc: *lc}
	s, got, err := lc.openPacket(set.k, network, ap, !lc.AllowShared)
	if err != nil {
		return nil, asNamed(listenError(network, dial.UDPAddr(ap), err), address)
	}
	set.first, set.addr, set.udp = s.n, got, dial.UDPAddr(unmapped(got))
	return set, nil
}

// errSetOfGroup is why a set can't have a multicast address.
var errSetOfGroup = errors.New("each socket of a set would get all datagrams of a multicast address; see ListenPacket")

// Listen makes the loop's socket. The first call binds one for each loop of the Run: each loop has to call Listen, or
// the peers of those that don't get no answer until the set is closed. A set is for one Run. Only a task of l may call
// it, once while that socket is open.
func (s *PacketSet) Listen(l *ringo.Loop) (*PacketConn, error) {
	e := (*loop.Loop)(l)
	if s.network == "" {
		return nil, errZero
	}
	var err error
	if !e.IsCurrent() {
		err = stranger(e)
	} else if err = s.strange(e); err == nil {
		var fd int32
		if fd, err = s.take(e); err == nil {
			c := newPacketConn(e, s.network, fd, s.addr, netip.AddrPort{})
			c.leave = func() { s.mark(e, socketClosed) }
			return c, nil
		}
	}
	return nil, listenError(s.network, s.udp, err)
}

// take gives a loop its socket.
func (s *PacketSet) take(l *loop.Loop) (fd int32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return -1, net.ErrClosed
	case s.of == nil:
		if err := s.open(l.Set()); err != nil {
			return -1, err
		}
	case s.of != l.Set():
		return -1, errOtherRun
	}
	switch fd = s.fds[l.Index()]; {
	case fd == socketTaken:
		return -1, inUse
	case fd == socketClosed && s.steer != nil:
		return -1, errSteered
	case fd == socketClosed:
		o, _, err := s.lc.openPacket(s.k, s.network, s.addr, false)
		if err != nil {
			return -1, err
		}
		fd = o.n
	}
	if err := l.Unwatchable(fd); err != nil {
		s.k.Close(fd)
		s.fds[l.Index()] = socketClosed
		return -1, err
	}
	s.fds[l.Index()] = socketTaken
	return fd, nil
}

var (
	errOtherRun = errors.New("the set's sockets are those of another Run")
	errSteered  = errors.New("the loop's socket has closed, and another would have another place among those that " +
		"are steered to")
)

// open binds a socket for each loop, in the order of the loops, in which the kernel then counts them. The caller holds
// mu.
func (s *PacketSet) open(of *loop.Set) error {
	fds := []int32{s.first}
	for range of.Loops()[1:] {
		o, _, err := s.lc.openPacket(s.k, s.network, s.addr, false)
		if err == nil {
			fds = append(fds, o.n)
			if s.steer != nil && len(fds) == 2 { // from the second socket on they are a group
				err = o.attach(steerQUIC(*s.steer, len(of.Loops())))
			}
		}
		if err != nil {
			for _, fd := range fds[1:] {
				s.k.Close(fd)
			}
			return err
		}
	}
	s.of, s.fds, s.first = of, fds, -1
	return nil
}

// mark notes what has happened to a loop's socket.
func (s *PacketSet) mark(l *loop.Loop, as int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fds[l.Index()] = as
}

// Addr returns the address with the real port, always as the same pointer. Any goroutine may call it.
func (s *PacketSet) Addr() net.Addr {
	if s.udp == nil {
		return new(net.UDPAddr) // of a zero value
	}
	return s.udp
}

// Close gives up the reservation; sockets that loops have taken stay open. Any goroutine may call it. Closing again
// returns net.ErrClosed.
func (s *PacketSet) Close() error { return s.giveUp(s.udp, s.drop) }

// drop closes the sockets that no loop has.
func (s *PacketSet) drop() {
	for _, fd := range append(s.fds, s.first) {
		if fd >= 0 {
			s.k.Close(fd)
		}
	}
	s.first = -1
}
