package sock

import (
	"errors"
	"net"

	"ringo/internal/sys"
)

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

// attach sets the program by which the kernel chooses among the sockets bound to the address.
func (o socket) attach(program []sys.Filter) error {
	return called("setsockopt", o.k.SetsockoptFilter(o.n, solSocket, soAttachReuseportCBPF, program))
}

const soAttachReuseportCBPF = 51 // socket(7)

// Instructions of classic BPF. A program sees the datagram's content from its first byte, and returns the number of a
// socket, or one that no socket has: then the kernel takes one by a hash of the addresses.
const (
	bpfSize    = 0x80 // A = the number of bytes
	bpfByte    = 0x30 // A = the byte at K
	bpfWord    = 0x20 // A = the 32 bits at K
	bpfEqual   = 0x15 // if A == K
	bpfAtLeast = 0x35 // if A >= K
	bpfAbove   = 0x25 // if A > K
	bpfHas     = 0x45 // if A & K
	bpfModulo  = 0x94 // A %= K
	bpfResult  = 0x16 // A
	bpfReturn  = 0x06 // K

	bpfCPU    = 1<<32 - 0x1000 + 36 // the number of the CPU
	bpfNobody = 1<<32 - 1           // the number that no socket has
)

// steerQUIC returns the program of SteerQUIC.
func steerQUIC(at, loops int) []sys.Filter {
	id := func(offset int) []sys.Filter {
		return []sys.Filter{{Code: bpfByte, K: uint32(offset + at)}, {Code: bpfModulo, K: uint32(loops)},
			{Code: bpfResult}}
	}
	const short, long = 1, 6 // where the id begins
	all := []sys.Filter{
		{Code: bpfSize},
		{Code: bpfAtLeast, K: uint32(short + at + 1), Jf: 12}, // to nobody
		{Code: bpfByte, K: 0},
		{Code: bpfHas, K: 0x80, Jt: 3}, // a long header
	}
	all = append(all, id(short)...)
	all = append(all,
		sys.Filter{Code: bpfSize},
		sys.Filter{Code: bpfAtLeast, K: uint32(long + at + 1), Jf: 5},
		sys.Filter{Code: bpfByte, K: long - 1}, // how long the id is
		sys.Filter{Code: bpfAbove, K: uint32(at), Jf: 3})
	all = append(all, id(long)...)
	return append(all, sys.Filter{Code: bpfReturn, K: bpfNobody})
}
