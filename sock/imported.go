package sock

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"ringo"
	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// importedSocket is a socket that is being adopted.
type importedSocket struct {
	fd      fd.FD  // a duplicate, which this package owns
	network string // "" if this package has none for it
	sort    string // family, type and protocol, for errors
	listens bool
	pings   bool  // it sends and receives the echoes of ICMP
	blocked bool  // it was in blocking mode
	err     int32 // why it has failed, 0 if it has not
}

// errBlocking is why a socket in blocking mode is not adopted. If another process is faster, a plain accept after
// readiness waits until the next peer comes, and a splice likewise; and goroutines can't wait in Go's netpoller.
var errBlocking = errors.New("the socket is in blocking mode: set O_NONBLOCK (systemd: NonBlocking=yes), " +
	"or AdoptConfig.Exclusive if no other process uses it")

// importSocket duplicates the descriptor of a socket that is to be adopted, and inspects the socket.
func (ac *AdoptConfig) importSocket(s io.Closer) (*importedSocket, error) {
	a := new(importedSocket)
	a.fd.Init(-1)
	if _, ok := s.(interface{ Loop() *ringo.Loop }); ok {
		return a, errors.New("a Conn already has a loop: use MoveTo")
	}
	if !sys.HaveNetpoll {
		return a, posix.ErrSystem // what package net has open belongs to Go's netpoller for good
	}
	has, ok := s.(syscall.Conn)
	if !ok {
		return a, fmt.Errorf("a %T has no descriptor", s)
	}
	raw, err := has.SyscallConn()
	if err != nil {
		return a, err
	}
	n := int32(-1)
	err = raw.Control(func(number uintptr) {
		n = kernel.Host{}.Dup(int32(number))
	})
	switch {
	case err != nil:
		return a, err
	case n < 0:
		return a, callError("fcntl", n)
	}
	a.fd.Init(n)
	if err := a.inspect(); err != nil {
		return a, err
	}
	return a, a.unblock(ac.Exclusive)
}

// inspect finds out what sort of socket it is.
func (a *importedSocket) inspect() error {
	var value [4]int
	for i, name := range []int{sys.SoType, sys.SoDomain, sys.SoProtocol, sys.SoAcceptconn} {
		n, res := kernel.Host{}.Getsockopt(a.fd.Sys(), solSocket, name)
		if res < 0 {
			return callError("getsockopt", res)
		}
		value[i] = int(n)
	}
	kind, domain, proto := value[0], value[1], value[2]
	a.network = networkOf(domain, kind, proto)
	a.pings = a.network == "udp" && proto != sys.ProtoUDP
	a.sort = fmt.Sprintf("a socket of family %d, type %d and protocol %d", domain, kind, proto)
	a.listens = value[3] != 0
	return nil
}

const (
	// protoMPTCP is TCP by several paths, which package net asks for when it listens.
	protoMPTCP = 262
	// protoICMP and protoICMPv6 are the protocols of ping sockets, which need no privileges: icmp(7), IPPROTO_ICMP.
	protoICMP, protoICMPv6 = 1, 58
)

// networkOf returns the network of a socket, "" if this package has none for it. Ping sockets are of "udp", as in
// package net.
func networkOf(domain, kind, proto int) string {
	inet := domain == sys.AFInet || domain == sys.AFInet6
	switch {
	case inet && kind == sys.SockStream && (proto == protoTCP || proto == protoMPTCP):
		return "tcp"
	case inet && kind == sys.SockDgram && (proto == sys.ProtoUDP || proto == protoICMP || proto == protoICMPv6):
		return "udp"
	case inet && kind == sys.SockRaw:
		return "ip"
	case domain == sys.AFVsock && kind == sys.SockStream:
		return vsock
	case domain != sys.AFUnix:
		return ""
	case kind == sys.SockStream:
		return "unix"
	case kind == sys.SockSeqpacket:
		return "unixpacket"
	case kind == sys.SockDgram:
		return unixgram
	}
	return ""
}

// unblock puts the socket into non-blocking mode if it may; otherwise it fails.
func (a *importedSocket) unblock(may bool) error {
	flags := kernel.Host{}.Getfl(a.fd.Sys())
	switch {
	case flags < 0:
		return callError("fcntl", flags)
	case flags&sys.ONonblock != 0:
		return nil
	case !may:
		return errBlocking
	}
	if res := (kernel.Host{}).Setfl(a.fd.Sys(), flags|sys.ONonblock); res < 0 {
		return callError("fcntl", res)
	}
	a.blocked = true
	return nil
}

// reblock undoes unblock.
func (a *importedSocket) reblock() {
	if !a.blocked {
		return
	}
	if flags := (kernel.Host{}).Getfl(a.fd.Sys()); flags >= 0 {
		kernel.Host{}.Setfl(a.fd.Sys(), flags&^sys.ONonblock)
	}
}

// connected reports whether it has a peer.
func (a *importedSocket) connected() bool {
	return kernel.Host{}.Getpeername(a.fd.Sys(), new(sys.Sockaddr)) >= 0
}

// ended reports whether it is a TCP connection whose both sides have ended, or that has failed: the kernel no longer
// knows its peer, but still has what was not read. The kernel reports only once why it has failed, so ended notes that.
func (a *importedSocket) ended() bool {
	if a.network != "tcp" {
		return false
	}
	res := kernel.Host{}.Peek(a.fd.Sys(), make([]byte, 1))
	switch {
	case res == -sys.ENOTCONN, res == -sys.EAGAIN: // it never was one, or is to be one
		return false
	case res < 0:
		a.err = res
	}
	return true
}

// unixName returns the name of one end. G.
func (a *importedSocket) unixName(ask nameCall) net.UnixAddr {
	sa := new(sys.Sockaddr)
	ask(kernel.Host{}, a.fd.Sys(), sa)
	return unixAddr(sa, a.network)
}

func (a *importedSocket) streams() bool {
	return a.network == "tcp" || a.network == vsock || unixNetwork(a.network)
}

// other returns the error for a socket of another sort than is wanted.
func (a *importedSocket) other(want string) error {
	if a.network == "" {
		return fmt.Errorf("%s: want %s; others can be used by Poll", a.sort, want)
	}
	return fmt.Errorf("%s: want %s", a.sort, want)
}

func (a *importedSocket) wantConn() error {
	switch {
	case !a.streams():
		return a.other("a TCP, Unix stream, Unix seqpacket or vsock stream one")
	case a.listens:
		return errors.New("the socket listens: use Adopt[*sock.Listener]")
	case !a.connected() && !a.ended():
		return errors.New("the socket is not connected")
	}
	return nil
}

func (a *importedSocket) wantListener() error {
	switch {
	case !a.streams():
		return a.other("a TCP, Unix stream, Unix seqpacket or vsock stream one")
	case !a.listens:
		return errors.New("the socket does not listen")
	}
	return nil
}

// wants returns the check for a socket of a network of datagrams.
func wants(network, want string) func(*importedSocket) error {
	return func(a *importedSocket) error {
		if a.network != network {
			return a.other(want)
		}
		return nil
	}
}

// refuse closes our descriptor, if we still have it, and leaves the socket as it was.
func (a *importedSocket) refuse(err error) error {
	a.reblock()
	if n := a.fd.Take(); n >= 0 {
		kernel.Host{}.Close(n)
	}
	return a.fail(err)
}

func (a *importedSocket) fail(err error) error {
	network := a.network
	if network == "" {
		network = "fd"
	}
	return &net.OpError{Op: "adopt", Net: network, Err: err}
}
