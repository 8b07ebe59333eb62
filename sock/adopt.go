package sock

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// AdoptConfig configures the adoption of a socket that was made elsewhere. The zero value is ready to use.
type AdoptConfig struct {
	// Unread are bytes that were already read from a connection, for example into a bufio.Reader. The connection
	// returns them first. They are copied. Other sockets ignore it.
	Unread []byte
	// Exclusive says that no other process or thread uses this socket, through its own or an inherited descriptor. Then
	// it may be put into non-blocking mode, which would affect all users; without Exclusive a socket in blocking mode
	// can't be adopted. And the loop of a listener accepts ahead; without Exclusive it takes a connection only when
	// Accept is called.
	Exclusive bool
	// Balance is ListenConfig.Balance, for AdoptSet. Other sockets ignore it.
	Balance bool
	// Limits is ListenConfig.Limits, for listeners. Other sockets ignore it.
	Limits Limits
}

// Adopted is a handle that Adopt makes of a socket.
type Adopted interface {
	*Conn | *Listener | *PacketConn | *IPConn | *UnixPacketConn
}

// Adopt turns a socket made elsewhere into a handle of l, as in Adopt[*sock.Conn](l, s, nil): one of package net, also
// as a net.Conn, net.Listener or net.PacketConn, or an *os.File; for a bare descriptor use os.NewFile. It does not
// accept wrappers such as a *tls.Conn. A nil cfg means the zero AdoptConfig.
//
//   - A *Conn is made of a TCP, Unix stream, Unix seqpacket or vsock stream socket that is connected, or was and has
//     data or an end of stream to read.
//   - A *Listener is made of such a socket that listens; for several loops see AdoptSet. Closing it does not remove the
//     file of a Unix socket, unless SetUnlinkOnClose is called.
//   - A *PacketConn is made of a UDP socket, or of a ping socket (SOCK_DGRAM and IPPROTO_ICMP or IPPROTO_ICMPV6,
//     icmp(7)); a *UnixPacketConn of a Unix datagram socket, an *IPConn of a raw IP socket. It may be connected. The
//     addresses of a ping socket have no ports except its own, the identifier of its echo requests, and its peer is not
//     known if it was connected to port 0. Close does not remove the file of a Unix socket's name.
//
// Adopt takes the socket over: if it succeeds, s is closed, and the handle has another descriptor of the same socket,
// close-on-exec, with the options that it had. Calls that wait on s fail. If Adopt fails, s is unchanged.
//
// For sockets of other families use Poll. Any goroutine may call it; callers other than tasks of l wait for the loop.
func Adopt[H Adopted](l *ringo.Loop, s io.Closer, cfg *AdoptConfig) (H, error) {
	var made, none H
	var err error
	ac := cfg.orZero()
	switch h := any(&made).(type) {
	case **Conn:
		*h, err = ac.conn(l, s)
	case **Listener:
		*h, err = ac.listener(l, s)
	case **PacketConn:
		*h, err = ac.packet(l, s)
	case **IPConn:
		*h, err = ac.ip(l, s)
	case **UnixPacketConn:
		*h, err = ac.unixgram(l, s)
	}
	if err != nil {
		return none, err
	}
	return made, nil
}

// AdoptSet turns a listening socket made elsewhere into a set from which each loop takes a listener; all share the one
// socket. See Adopt. Any goroutine may call it, before or during Run.
func AdoptSet(s io.Closer, cfg *AdoptConfig) (*ListenerSet, error) { return cfg.orZero().set(s, nil) }

// AdoptSet is the function AdoptSet for a socket of this program with which another process has listened (see package
// upgrade): it gets the options of lc, except those for new sockets only (AllowShared, Control, MultipathTCP). It may
// be put into non-blocking mode. Any goroutine may call it, before or during Run.
func (lc *ListenConfig) AdoptSet(s io.Closer) (*ListenerSet, error) {
	return (&AdoptConfig{Exclusive: true, Balance: lc.Balance, Limits: lc.Limits}).set(s, lc)
}

func (ac *AdoptConfig) orZero() *AdoptConfig {
	if ac == nil {
		return new(AdoptConfig)
	}
	return ac
}

// conn adopts a connection.
func (ac *AdoptConfig) conn(l *ringo.Loop, s io.Closer) (*Conn, error) {
	return adopt(ac, l, s, (*importedSocket).wantConn, func(e *loop.Loop, a *importedSocket) (*Conn, error) {
		p := handle.Parts{FD: a.fd.Take(), Unread: slices.Clone(ac.Unread), Err: a.err}
		if a.network == "tcp" {
			p.Linger = int32(handle.LingerOf(e, p.FD) + 1)
		}
		return makeOf(e, p), nil
	})
}

// listener adopts a listener.
func (ac *AdoptConfig) listener(l *ringo.Loop, s io.Closer) (*Listener, error) {
	return adopt(ac, l, s, (*importedSocket).wantListener, func(e *loop.Loop, a *importedSocket) (*Listener, error) {
		if err := ac.Limits.check(); err != nil {
			return nil, err
		}
		n := a.fd.Take() // newListener closes it if it fails
		ln, err := ac.Limits.of(newListener(e, a.network, n, nil, func() {}))
		if err == nil && !ac.Exclusive {
			new(sharedSocket).join(ln)
		}
		return ln, err
	})
}

// set adopts a set. If lc is not nil, the socket gets its options.
func (ac *AdoptConfig) set(s io.Closer, lc *ListenConfig) (*ListenerSet, error) {
	if err := loop.Home().World().Passage(); err != nil {
		return nil, &net.OpError{Op: "adopt", Net: "fd", Err: err}
	}
	host := kernel.Host{}
	a, err := ac.importSocket(s)
	if err == nil {
		err = a.wantListener()
	}
	if err == nil {
		err = ac.Limits.check()
	}
	if err == nil && lc != nil {
		err = lc.relisten(socket{host, a.fd.Sys()}, a.network)
	}
	if err != nil {
		return nil, a.refuse(err)
	}
	set := &ListenerSet{reserved: reserved{k: host, network: a.network}, first: a.fd.Sys(), adopted: true,
		share: new(sharedSocket), file: newSocketFile(host, ""), balance: balance{evens: ac.Balance},
		limits: newLimiter(ac.Limits)}
	switch {
	case a.network == vsock:
		addr := vsockName(host, new(sys.Sockaddr), set.first, kernel.Kernel.Getsockname)
		set.vsock = &addr
	case unixNetwork(a.network):
		addr := a.unixName(kernel.Kernel.Getsockname)
		set.unix, set.file = &addr, newSocketFile(host, addr.Name)
	default:
		if err := set.nameTCP(); err != nil {
			return nil, a.refuse(err)
		}
	}
	closeOriginal(s)
	return set, nil
}

// relisten sets the options of lc on a socket that listens.
func (lc *ListenConfig) relisten(s socket, network string) error {
	if err := lc.check(network); err != nil {
		return err
	}
	if lc.SteerCPU {
		return fmt.Errorf("ListenConfig.SteerCPU: %w of one socket that loops share", errors.ErrUnsupported)
	}
	if lc.Options != (Options{}) {
		if err := lc.Options.set(s); err != nil {
			return err
		}
	}
	if network == "tcp" {
		return lc.listen(s, true)
	}
	return s.listen(lc.Backlog)
}

// packet adopts a socket of UDP.
func (ac *AdoptConfig) packet(l *ringo.Loop, s io.Closer) (*PacketConn, error) {
	return adopt(ac, l, s, wants("udp", "one of UDP or of pings"), func(e *loop.Loop, a *importedSocket) (*PacketConn,
		error) {
		local, err := socket{kernel.Host{}, a.fd.Sys()}.addrPort()
		if err != nil {
			return nil, err
		}
		var peer netip.AddrPort
		if a.connected() {
			peer = nameOf(e, &a.fd, kernel.Kernel.Getpeername)
		}
		c := newPacketConn(e, a.network, a.fd.Take(), local, peer)
		c.out.plainly.Store(a.pings) // the kernel cuts for UDP alone, and sends the whole without a word
		return c, nil
	})
}

// unixgram adopts a Unix socket of datagrams.
func (ac *AdoptConfig) unixgram(l *ringo.Loop, s io.Closer) (*UnixPacketConn, error) {
	return adopt(ac, l, s, wants(unixgram, "a Unix datagram one"), func(e *loop.Loop, a *importedSocket) (
		*UnixPacketConn, error) {
		var peer *net.UnixAddr
		if a.connected() {
			name := a.unixName(kernel.Kernel.Getpeername)
			peer = &name
		}
		return newUnixPacketConn(e, a.fd.Take(), peer, nil), nil
	})
}

// adopt imports s, checks it by want, and calls make in a task of the loop. What is made for a foreign caller is
// detached.
func adopt[H any](ac *AdoptConfig, l *ringo.Loop, s io.Closer, want func(*importedSocket) error,
	make func(e *loop.Loop, a *importedSocket) (H, error)) (made H, err error) {
	var none H
	e := (*loop.Loop)(l)
	if err := e.World().Passage(); err != nil {
		return none, &net.OpError{Op: "adopt", Net: "fd", Err: err}
	}
	a, err := ac.importSocket(s)
	if err == nil && e.Ended() {
		err = stranger(e)
	}
	if err == nil {
		err = e.Unwatchable(a.fd.Sys())
	}
	if err == nil {
		err = want(a)
	}
	if err == nil {
		own := e.IsCurrent()
		err = onOwner(e, func() (err error) {
			made, err = make(e, a)
			if h, ok := any(made).(interface{ detach() }); ok && err == nil && !own {
				h.detach()
			}
			return err
		})
	}
	if err != nil {
		return none, a.refuse(err)
	}
	closeOriginal(s)
	return made, nil
}

// closeOriginal closes the socket that was adopted. The error of Close says nothing about the socket. The file of a
// Unix listener must stay.
func closeOriginal(s io.Closer) {
	if ln, ok := s.(interface{ SetUnlinkOnClose(bool) }); ok {
		ln.SetUnlinkOnClose(false)
	}
	s.Close()
}
