package sock

import (
	"errors"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
	"ringo/internal/sys"
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
				err = s.attach(o, *s.steer, len(of.Loops()))
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

// SteerQUIC makes the kernel give each datagram of QUIC (RFC 8999) to the loop that its destination connection id
// names: to the loop with index b modulo the number of loops, where b is the id's byte at the given place, from 0. A
// server makes ids whose byte there is the index of the loop that has the connection; then a peer whose address changes
// stays with its loop, and so does one whose first datagrams carry an id of its own choice. A datagram without such a
// byte goes by the hash of its addresses. It fails with errors.ErrUnsupported in a simulated world. Call it before the
// first Listen, which fails if the kernel refuses this (SO_ATTACH_REUSEPORT_CBPF, Linux 4.5). During the Run no socket
// of the set may be closed, except to end the Run: the others would change places. Any goroutine may call it.
func (s *PacketSet) SteerQUIC(at int) error {
	if s.network == "" {
		return errZero
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := error(nil)
	switch {
	case s.closed:
		err = net.ErrClosed
	case at < 0 || at >= connIDMax:
		err = errNoIDByte
	case s.of != nil:
		err = errTooLate
	case s.home != nil:
		err = errors.ErrUnsupported
	}
	if err != nil {
		return &net.OpError{Op: "steer", Net: s.network, Addr: s.udp, Err: err}
	}
	s.steer = &at
	return nil
}

// connIDMax is the longest connection id that QUIC has so far.
const connIDMax = 20

var (
	errNoIDByte = errors.New("want a byte of a connection id, from 0 to 19")
	errTooLate  = errors.New("the set's sockets are bound already")
)

// attach sets the filter by which the kernel chooses among the sockets bound to the address.
func (s *PacketSet) attach(o socket, at, loops int) error {
	return called("setsockopt", s.k.SetsockoptFilter(o.n, solSocket, soAttachReuseportCBPF, steerQUIC(at, loops)))
}

const soAttachReuseportCBPF = 51 // socket(7)

// steerQUIC returns the filter. It sees the datagram's content from its first byte, and returns the number of a socket,
// or one that no socket has.
func steerQUIC(at, loops int) []sys.Filter {
	const (
		size    = 0x80 // A = the number of bytes
		load    = 0x30 // A = the byte at K
		atLeast = 0x35 // if A >= K
		above   = 0x25 // if A > K
		has     = 0x45 // if A & K
		modulo  = 0x94 // A %= K
		result  = 0x16 // A
		nobody  = 0x06 // K
	)
	id := func(offset int) []sys.Filter {
		return []sys.Filter{{Code: load, K: uint32(offset + at)}, {Code: modulo, K: uint32(loops)}, {Code: result}}
	}
	const short, long = 1, 6 // where the id begins
	all := []sys.Filter{
		{Code: size},
		{Code: atLeast, K: uint32(short + at + 1), Jf: 12}, // to nobody
		{Code: load, K: 0},
		{Code: has, K: 0x80, Jt: 3}, // a long header
	}
	all = append(all, id(short)...)
	all = append(all,
		sys.Filter{Code: size},
		sys.Filter{Code: atLeast, K: uint32(long + at + 1), Jf: 5},
		sys.Filter{Code: load, K: long - 1}, // how long the id is
		sys.Filter{Code: above, K: uint32(at), Jf: 3})
	all = append(all, id(long)...)
	return append(all, sys.Filter{Code: nobody, K: ^uint32(0)})
}
