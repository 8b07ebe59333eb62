package sock

import (
	"errors"
	"net"

	"ringo/internal/loop"
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

// found begins the group of the sockets with the first, before that is bound, if the kernel can. A socket with such a
// group is bound only if it is alone, so one that is to share its address has none. The group's program takes the first
// socket; without it the next one that is bound would get a part of the peers.
func (s *PacketSet) found(o socket) {
	if s.lc.AllowShared || s.home != nil {
		return
	}
	if shared, res := o.k.Getsockopt(o.n, solSocket, soReuseport); res < 0 || shared != 0 { // by Control
		return
	}
	if o.set(solSocket, soReuseport, 1) != nil {
		return
	}
	if s.group = o.attach([]sys.Filter{{Code: bpfReturn}}) == nil; !s.group {
		o.set(solSocket, soReuseport, 0)
	}
}

// attach sets the program by which the kernel chooses among the sockets bound to the address.
func (o socket) attach(program []sys.Filter) error {
	return called("setsockopt", o.k.SetsockoptFilter(o.n, solSocket, soAttachReuseportCBPF, program))
}

const soAttachReuseportCBPF = 51 // socket(7)

// Instructions of classic BPF. A program sees the datagram's content from its first byte, and returns the number of a
// socket, or one that no socket has: then the kernel takes one by a hash of the addresses.
const (
	bpfSize     = 0x80 // A = the number of bytes
	bpfByte     = 0x30 // A = the byte at K
	bpfHalf     = 0x28 // A = the 16 bits at K
	bpfWord     = 0x20 // A = the 32 bits at K
	bpfHalfX    = 0x48 // A = the 16 bits at X + K
	bpfHeaderX  = 0xb1 // X = the size of the header of IPv4 at K
	bpfCopy     = 0x07 // X = A
	bpfEqual    = 0x15 // if A == K
	bpfAtLeast  = 0x35 // if A >= K
	bpfAbove    = 0x25 // if A > K
	bpfHas      = 0x45 // if A & K
	bpfJump     = 0x05
	bpfAddX     = 0x0c // A += X
	bpfXorX     = 0xac // A ^= X
	bpfMultiply = 0x24 // A *= K
	bpfModulo   = 0x94 // A %= K
	bpfShift    = 0x74 // A >>= K
	bpfResult   = 0x16 // A
	bpfReturn   = 0x06 // K

	bpfNetwork = 1<<32 - 0x100000    // where the IP header is
	bpfCPU     = 1<<32 - 0x1000 + 36 // the number of the CPU
	bpfNobody  = 1<<32 - 1           // the number that no socket has
)

// program returns the group's program for a number of loops.
func (s *PacketSet) program(loops int) []sys.Filter {
	if s.steer == nil {
		return byPeer(loops)
	}
	return steerQUIC(*s.steer, loops)
}

// steerQUIC returns the program of SteerQUIC.
func steerQUIC(at, loops int) []sys.Filter {
	id := func(offset int) []sys.Filter {
		return []sys.Filter{{Code: bpfByte, K: uint32(offset + at)}, {Code: bpfModulo, K: uint32(loops)},
			{Code: bpfResult}}
	}
	const short, long = 1, 6 // where the id begins
	all := []sys.Filter{
		{Code: bpfSize},
		{Code: bpfAtLeast, K: uint32(short + at + 1), Jf: 12}, // to byPeer
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
	return append(all, byPeer(loops)...)
}

// byPeer returns the program that takes one of the first sockets, by a hash of the sender's address. The kernel's own
// hash takes one of all, also of those that are there for a moment, and another number of them has other results.
func byPeer(loops int) []sys.Filter {
	const golden = 0x9e3779b1 // 2^32 by the golden ratio
	key := uint32(loop.Rand()) | 1
	return []sys.Filter{
		{Code: bpfByte, K: bpfNetwork},
		{Code: bpfShift, K: 4},
		{Code: bpfEqual, K: 6, Jt: 6}, // the version
		{Code: bpfHeaderX, K: bpfNetwork},
		{Code: bpfHalfX, K: bpfNetwork}, // the port
		{Code: bpfCopy},
		{Code: bpfWord, K: bpfNetwork + 12}, // the address
		{Code: bpfMultiply, K: key},
		{Code: bpfJump, K: 8},
		{Code: bpfWord, K: bpfNetwork + 16}, // IPv6: of the address the host's half
		{Code: bpfMultiply, K: key},
		{Code: bpfCopy},
		{Code: bpfWord, K: bpfNetwork + 20},
		{Code: bpfXorX},
		{Code: bpfMultiply, K: golden},
		{Code: bpfCopy},
		{Code: bpfHalf, K: bpfNetwork + 40}, // the port, if the header has no extensions
		{Code: bpfXorX},
		{Code: bpfMultiply, K: golden},
		{Code: bpfShift, K: 16},
		{Code: bpfModulo, K: uint32(loops)},
		{Code: bpfResult},
	}
}
