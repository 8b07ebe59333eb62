package sock

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A VsockAddr is the address of a "vsock" socket, between a virtual machine and its host: see vsock(7). It is a
// net.Addr.
type VsockAddr struct {
	// CID is the context identifier: 2 is the host, 1 this machine itself (Linux 5.6, with the module vsock_loopback),
	// larger ones are virtual machines. 4294967295 is any of this machine's: a listener may have it, and a connection
	// that was dialled has it as its own, because the kernel tells only the peer which it is.
	CID uint32
	// Port is the port, of 32 bits. To bind to port 0 is to get a new one.
	Port uint32
}

const (
	vsock = "vsock"
	// anyVsock is a CID or a port that the kernel chooses: VMADDR_CID_ANY, VMADDR_PORT_ANY.
	anyVsock = math.MaxUint32
)

// Network returns "vsock".
func (a *VsockAddr) Network() string { return vsock }

// String returns the address as Dial and Listen take it: CID:port, where any CID is "".
func (a *VsockAddr) String() string {
	cid := ""
	if a.CID != anyVsock {
		cid = strconv.FormatUint(uint64(a.CID), 10)
	}
	return cid + ":" + strconv.FormatUint(uint64(a.Port), 10)
}

// parseVsock reads an address. Only one to listen on may have any CID.
func parseVsock(address string, listens bool) (a VsockAddr, err error) {
	wrong := func(what string) error { return &net.AddrError{Err: what, Addr: address} }
	cid, port, ok := strings.Cut(address, ":")
	n, bad := strconv.ParseUint(cid, 10, 32)
	switch {
	case !ok:
		return a, wrong("missing port in address: want CID:port")
	case cid == "" && listens:
		n = anyVsock
	case bad != nil || n == anyVsock:
		return a, wrong("invalid CID of a vsock address")
	}
	p, bad := strconv.ParseUint(port, 10, 32)
	if bad != nil || p == anyVsock {
		return a, wrong("invalid port of a vsock address")
	}
	return VsockAddr{uint32(n), uint32(p)}, nil
}

// vsockEnds is the addresses of a vsock connection.
type vsockEnds struct{ local, remote VsockAddr }

// vsock returns the addresses of a vsock connection, nil for another.
func (c *Conn) vsock() *vsockEnds {
	if c.laddr == nil {
		return nil
	}
	return c.laddr.vsock
}

// tcp reports whether it is a TCP connection.
func (c *Conn) tcp() bool { return c.unix == nil && c.vsock() == nil }

// becomeVsock makes c, which is new, a vsock connection; from is of the listener that accepted it. sa is memory for the
// calls that ask for the addresses. G.
func (c *Conn) becomeVsock(sa *sys.Sockaddr, from *acceptCounts) {
	c.laddr = &ownAddr{from: from, vsock: &vsockEnds{
		vsockName(c.l.Kernel(), sa, c.core.FD().Sys(), kernel.Kernel.Getsockname),
		vsockName(c.l.Kernel(), sa, c.core.FD().Sys(), kernel.Kernel.Getpeername)}}
	c.doubt()
}

// doubt says that a receive may return less than there is: on some hosts a packet at a time, hvs_stream_dequeue.
func (c *Conn) doubt() {
	if c.atHand != nil {
		c.in.Doubt()
	}
}

// vsockName returns the address of one end of a socket.
func vsockName(k kernel.Kernel, sa *sys.Sockaddr, s int32, ask nameCall) (a VsockAddr) {
	if ask(k, s, sa) >= 0 {
		a.CID, a.Port = sa.Vsock()
	}
	return a
}

// dialVsock is dial for "vsock".
func (d *Dialer) dialVsock(l *loop.Loop, address string, end time.Time, trace *dial.Trace) (c *Conn, err error) {
	to, err := parseVsock(address, false)
	if err != nil {
		return nil, dial.Error(vsock, nil, err)
	}
	local, given := d.LocalAddr.(*VsockAddr)
	given = given && local != nil
	if !given && d.LocalAddr != nil {
		return nil, dial.Error(vsock, nil, mismatched(d.LocalAddr))
	}
	e := localEnd{given: given, name: d.LocalAddr}
	if trace != nil {
		done := trace.Connect(vsock, &to)
		defer func() { done(err) }()
	}
	switch {
	case dial.Passed(l, end):
		return nil, e.fail(vsock, &to, dial.Late)
	case l.Canceled():
		return nil, e.fail(vsock, &to, l.Cause())
	case d.FastOpen:
		return nil, e.fail(vsock, &to, fmt.Errorf("Dialer.FastOpen of a vsock socket: %w", errors.ErrUnsupported))
	}
	s, err := newSocket(l.Kernel(), sys.AFVsock, sys.SockStream)
	s, err = watchable(l, s, err)
	if err != nil {
		return nil, e.fail(vsock, &to, noVsock(err))
	}
	if err := d.controls().as(vsock, address, s); err != nil {
		s.close()
		return nil, e.fail(vsock, &to, err)
	}
	c = newConn(l, s.n)
	if given {
		err = s.bindVsock(*local)
	}
	if err == nil {
		err = dialing(c, func(at *sys.Sockaddr) { at.SetVsock(to.CID, to.Port) }, end)
	}
	if err != nil {
		c.Close()
		return nil, e.fail(vsock, &to, noVsock(err))
	}
	c.becomeVsock(&loopStateOf(l).name, nil)
	return c, nil
}

// noVsock adds the likely cause to an error that says that there is no vsock.
func noVsock(err error) error {
	switch {
	case errors.Is(err, posix.EAFNOSUPPORT):
		return fmt.Errorf("%w: this system or its kernel has no AF_VSOCK", err)
	case errors.Is(err, posix.Of(-sys.ENODEV)):
		return fmt.Errorf("%w: no module of the kernel reaches this CID (vsock_loopback, vhost_vsock, ...)", err)
	}
	return err
}

// bindVsock binds the socket. Port 0 is a new port.
func (s socket) bindVsock(a VsockAddr) error {
	if a.Port == 0 {
		a.Port = anyVsock
	}
	at := new(sys.Sockaddr)
	at.SetVsock(a.CID, a.Port)
	return called("bind", s.k.Bind(s.n, at))
}

// openVsock makes a listening socket, and returns its address.
func (lc *ListenConfig) openVsock(k kernel.Kernel, a VsockAddr) (s socket, at VsockAddr, err error) {
	if err = lc.check(vsock); err == nil {
		s, err = newSocket(k, sys.AFVsock, sys.SockStream)
	}
	if err != nil {
		return s, a, noVsock(err)
	}
	_, err = s.orClose(first(
		func() error { return lc.controls().as(vsock, a.String(), s) },
		func() error { return s.bindVsock(a) },
		func() error { return s.listen(lc.Backlog) },
		func() error {
			sa, err := s.name()
			if err == nil {
				at.CID, at.Port = sa.Vsock()
			}
			return err
		}))
	return s, at, noVsock(err)
}

// listenVsock is Listen for "vsock".
func (lc *ListenConfig) listenVsock(l *loop.Loop, address string) (*Listener, error) {
	a, err := parseVsock(address, true)
	if err != nil {
		return nil, listenError(vsock, nil, err)
	}
	s, _, err := lc.openVsock(l.Kernel(), a)
	if err != nil {
		return nil, listenError(vsock, &a, err)
	}
	return lc.Limits.of(newListener(l, vsock, s.n, nil, func() {}))
}

// reserveVsock is Reserve for "vsock", whose sockets can't share an address: the loops share the one socket.
func (lc *ListenConfig) reserveVsock(address string) (*ListenerSet, error) {
	a, err := parseVsock(address, true)
	if err != nil {
		return nil, listenError(vsock, nil, err)
	}
	set := &ListenerSet{reserved: reserve(vsock), lc: *lc, share: new(sharedSocket),
		balance: balance{evens: lc.Balance}, limits: newLimiter(lc.Limits)}
	s, at, err := lc.openVsock(set.k, a)
	if err != nil {
		return nil, listenError(vsock, &a, err)
	}
	set.first, set.vsock, set.file = s.n, &at, newSocketFile(set.k, "")
	return set, nil
}
