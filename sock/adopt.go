package sock

import (
	"io"
	"net"
	"net/netip"
	"slices"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// AdoptConfig is how to adopt a socket that was made elsewhere. The zero value is good.
type AdoptConfig struct {
	// Unread are bytes that were read from a connection already, into a bufio.Reader
	// say. The connection returns them first. They are copied. Of no meaning for other sockets.
	Unread []byte
	// Exclusive says that no other process or thread uses this socket, by its own or by
	// an inherited descriptor. Then it may be put into non-blocking mode, which is for
	// all of them; without this a socket in blocking mode can't be adopted. And the
	// loop of a listener accepts ahead; without, it takes a connection from the others
	// only when somebody asks it for one.
	Exclusive bool
}

// Adopt makes a connection of this loop of a socket from elsewhere: of package net (a
// *net.TCPConn or *net.UnixConn, also as a net.Conn), or an *os.File; a mere descriptor
// is one by os.NewFile. TCP, Unix stream and Unix seqpacket sockets that are connected
// can be adopted, or were and have bytes or an end to be read. What wraps a connection,
// such as a *tls.Conn, can't.
//
// The socket is taken over: when Adopt returns without an error, s has been closed, and
// the Conn has another descriptor of the same socket, close-on-exec, and the options
// that it had. Callers that wait in s get an error. If Adopt fails, s is as before.
//
// Any goroutine may call it; one that is no task of l waits for the loop.
func Adopt(l *ringo.Loop, s io.Closer) (*Conn, error) { return new(AdoptConfig).Adopt(l, s) }

// AdoptListener makes a listener of this loop of a listening socket from elsewhere: of
// package net (a *net.TCPListener or *net.UnixListener, also as a net.Listener), or an
// *os.File. TCP, Unix stream and Unix seqpacket sockets can be adopted. For several
// loops see AdoptSet. See Adopt for what becomes of s.
//
// The file of a Unix socket is left where it is when the listener is closed, unless
// SetUnlinkOnClose says otherwise. Any goroutine may call it; one that is no task of l
// waits for the loop.
func AdoptListener(l *ringo.Loop, s io.Closer) (*Listener, error) {
	return new(AdoptConfig).AdoptListener(l, s)
}

// AdoptSet makes a set of a listening socket from elsewhere, from which each loop takes
// a listener; these share the one socket. See AdoptListener. Any goroutine may call it,
// before or during Run.
func AdoptSet(s io.Closer) (*ListenerSet, error) { return new(AdoptConfig).AdoptSet(s) }

// AdoptPacket makes a PacketConn of this loop of a UDP socket from elsewhere: a
// *net.UDPConn, also as a net.PacketConn or net.Conn, or an *os.File. It may be
// connected. See Adopt for what becomes of s. Any goroutine may call it; one that is no
// task of l waits for the loop.
func AdoptPacket(l *ringo.Loop, s io.Closer) (*PacketConn, error) {
	return new(AdoptConfig).AdoptPacket(l, s)
}

// AdoptUnixgram makes a UnixPacketConn of this loop of a Unix socket of datagrams from
// elsewhere: a *net.UnixConn, also as a net.PacketConn or net.Conn, or an *os.File. It
// may be connected, and the file of its name is left when it is closed. See Adopt for
// what becomes of s. Any goroutine may call it; one that is no task of l waits for the
// loop.
func AdoptUnixgram(l *ringo.Loop, s io.Closer) (*UnixPacketConn, error) {
	return new(AdoptConfig).AdoptUnixgram(l, s)
}

// Adopt is the function Adopt with this configuration.
func (ac *AdoptConfig) Adopt(l *ringo.Loop, s io.Closer) (c *Conn, err error) {
	err = ac.adopt(l, s, (*importedSocket).wantConn, func(e *loop.Loop, a *importedSocket, own bool) error {
		c = newConn(e, a.fd.Take())
		if unixNetwork(a.network) {
			c.becomeUnix(unixName(e, c.core.FD(), kernel.Kernel.Getsockname, a.network),
				unixName(e, c.core.FD(), kernel.Kernel.Getpeername, a.network))
		} else {
			c.laddr = shared(nameOf(e, c.core.FD(), kernel.Kernel.Getsockname))
			c.raddr = nameOf(e, c.core.FD(), kernel.Kernel.Getpeername)
		}
		c.in.resume(c, slices.Clone(ac.Unread))
		c.in.Fail(a.err)
		if !own {
			c.detach()
		}
		return nil
	})
	return c, err
}

// AdoptListener is the function AdoptListener with this configuration.
func (ac *AdoptConfig) AdoptListener(l *ringo.Loop, s io.Closer) (ln *Listener, err error) {
	err = ac.adopt(l, s, (*importedSocket).wantListener, func(e *loop.Loop, a *importedSocket, _ bool) (err error) {
		n := a.fd.Take() // it is closed if this fails
		ln, err = newListener(e, a.network, n, nil, func() {})
		if err == nil && !ac.Exclusive {
			new(sharedSocket).join(ln)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ln, nil
}

// AdoptSet is the function AdoptSet with this configuration.
func (ac *AdoptConfig) AdoptSet(s io.Closer) (*ListenerSet, error) {
	if err := noWayOut(loop.World()); err != nil {
		return nil, &net.OpError{Op: "adopt", Net: "fd", Err: err}
	}
	a, err := ac.importSocket(s)
	if err == nil {
		err = a.wantListener()
	}
	if err != nil {
		return nil, a.refuse(err)
	}
	set := &ListenerSet{k: kernel.Host{}, network: a.network, first: a.fd.Sys(), adopted: true,
		share: new(sharedSocket), file: newSocketFile(kernel.Host{}, "")}
	if unixNetwork(a.network) {
		addr := a.unixName(kernel.Kernel.Getsockname)
		set.unix, set.file = &addr, newSocketFile(kernel.Host{}, addr.Name)
	} else if err := set.nameTCP(); err != nil {
		return nil, a.refuse(err)
	}
	closeOriginal(s)
	return set, nil
}

// AdoptPacket is the function AdoptPacket with this configuration.
func (ac *AdoptConfig) AdoptPacket(l *ringo.Loop, s io.Closer) (c *PacketConn, err error) {
	err = ac.adopt(l, s, (*importedSocket).wantUDP, func(e *loop.Loop, a *importedSocket, own bool) error {
		local, err := socket{kernel.Host{}, a.fd.Sys()}.addrPort()
		if err != nil {
			return err
		}
		var peer netip.AddrPort
		if a.connected() {
			peer = nameOf(e, &a.fd, kernel.Kernel.Getpeername)
		}
		c = newPacketConn(e, a.network, a.fd.Take(), local, peer)
		if !own {
			c.detach()
		}
		return nil
	})
	return c, err
}

// AdoptUnixgram is the function AdoptUnixgram with this configuration.
func (ac *AdoptConfig) AdoptUnixgram(l *ringo.Loop, s io.Closer) (c *UnixPacketConn, err error) {
	err = ac.adopt(l, s, (*importedSocket).wantUnixgram, func(e *loop.Loop, a *importedSocket, own bool) error {
		var peer *net.UnixAddr
		if a.connected() {
			name := a.unixName(kernel.Kernel.Getpeername)
			peer = &name
		}
		c = newUnixPacketConn(e, a.fd.Sys(), peer, nil)
		a.fd.Take()
		if !own {
			c.detach()
		}
		return nil
	})
	return c, err
}

// adopt makes what make makes of s in a task of the loop, if it is what is wanted.
func (ac *AdoptConfig) adopt(l *ringo.Loop, s io.Closer, want func(*importedSocket) error,
	make func(e *loop.Loop, a *importedSocket, own bool) error) error {
	e := (*loop.Loop)(l)
	if err := noWayOut(e); err != nil {
		return &net.OpError{Op: "adopt", Net: "fd", Err: err}
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
		err = onOwner(e, func() error { return make(e, a, own) })
	}
	if err != nil {
		return a.refuse(err)
	}
	closeOriginal(s)
	return nil
}

// closeOriginal closes what was adopted. Its error says nothing about the socket, and
// the file of a Unix listener must stay.
func closeOriginal(s io.Closer) {
	if ln, ok := s.(interface{ SetUnlinkOnClose(bool) }); ok {
		ln.SetUnlinkOnClose(false)
	}
	s.Close()
}
