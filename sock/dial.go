package sock

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// A Dialer contains options for connecting. The zero value is ready to use.
type Dialer struct {
	// Timeout bounds the whole dial, including name look-ups. 0 means the system's limit, minutes. A dial that takes
	// longer fails with a timeout as in package net: the error's Timeout method returns true, and it matches
	// context.DeadlineExceeded (errors.Is); if a connect was under way it also matches os.ErrDeadlineExceeded, since
	// package net sometimes returns one and sometimes the other.
	Timeout time.Duration
	// Deadline, if not zero, bounds the dial by a point in time; the earlier of Timeout and Deadline counts.
	Deadline time.Time
	// LocalAddr, if not nil, is the local address. In a *net.TCPAddr port 0 means any port; only addresses of its
	// family are tried, or all if it has no IP or an unspecified one. A *net.UnixAddr has to be of the network dialled;
	// a path becomes a file, which is not removed. In a *VsockAddr port 0 means any port.
	LocalAddr net.Addr
	// FallbackDelay is how long an attempt to connect to one of a name's addresses may take before the next one is
	// started beside it, as in RFC 8305; 0 means 250 ms. If time is short it is less, so that all addresses are tried.
	// If it is negative they are tried one after the other.
	FallbackDelay time.Duration
	// Resolver, if not nil, is used instead of net.DefaultResolver. It is called on goroutines.
	Resolver *net.Resolver
	// Control, if not nil, is called with each new socket before it is bound or connected, to set options that there is
	// no field for. Only the Control method of its argument works. If it returns an error, the attempt fails. It runs
	// on the loop and must not wait.
	Control func(network, address string, c syscall.RawConn) error
	// Options are set on each new socket before Control is called. Dials of Unix sockets fail if one is set.
	Options Options
	// ControlContext, if not nil, is called instead of Control, with the context of DialContext.
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error
	// KeepAlive is how long a TCP connection may be idle before the first keep-alive probe. 0 means 15 s, as in package
	// net; negative means no probes.
	KeepAlive time.Duration
	// KeepAliveConfig, if its Enable is true, replaces KeepAlive; see Conn.SetKeepAliveConfig.
	KeepAliveConfig net.KeepAliveConfig
	// MultipathTCP asks for Multipath TCP (Linux 5.6), which is used if the peer supports it. If the kernel does not
	// support it, or net.mptcp.enabled is 0, plain TCP is used.
	MultipathTCP bool
	// FastOpen sends the first write with the handshake (TCP Fast Open, RFC 7413, tcp(7), TCP_FASTOPEN_CONNECT, Linux
	// 4.11) to peers that were connected to before, which saves a round trip. The dial then returns at once; if the
	// peer can't be reached the first Write or Read fails, and other addresses of the name are not tried. Nothing is
	// sent until the first write, so it is for protocols in which the client speaks first. The peer may receive the
	// first bytes twice, so they must be idempotent. It has an effect if bit 1 of net.ipv4.tcp_fastopen is set, as it
	// is by default, and the peer allows it (ListenConfig.FastOpen or the like). Dials of Unix sockets fail if it is
	// set.
	FastOpen bool
}

// Dial connects to an address. network is "tcp", "tcp4" or "tcp6": a name is looked up without stopping the loop, and
// its addresses race (Happy Eyeballs, RFC 8305), IPv6 and IPv4 in turn: the next is tried when the one before has
// failed or is slow, and the first to connect wins. Or it is "unix" for a stream between Unix sockets, or "unixpacket"
// for records (SOCK_SEQPACKET); the address is then a path, or "@" and an abstract name, which systems other than Linux
// refuse (errors.ErrUnsupported). Or it is "vsock", for a stream between a virtual machine and its host (vsock(7),
// Linux), and the address CID:port, see VsockAddr. It may take minutes; [Dialer.Timeout] and [Dialer.DialContext] limit
// it. The connection belongs to l. Any goroutine may call it; a task parks.
func Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return new(Dialer).Dial(l, network, address)
}

// Dial is like the function Dial, with these options. A task parks.
func (d *Dialer) Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return d.DialContext(context.Background(), l, network, address)
}

// DialContext is like Dial, but ends with the context: the error then matches context.Canceled or
// context.DeadlineExceeded, and the context's cause (errors.Is). The resolver gets the context's values, and
// net/http/httptrace sees look-ups and connects. ConnectStart and ConnectDone run on the loop, DNSDone on the loop or
// on a goroutine that the loop waits for, so none of them may wait. The connection belongs to l. Any goroutine may call
// it; a task parks.
func (d *Dialer) DialContext(ctx context.Context, l *ringo.Loop, network, address string) (*Conn, error) {
	return dialOn(ctx, d, l, network, address, (*Dialer).dial)
}

// dialOn is DialContext and DialPacketContext: by calls dial in a task of the loop.
func dialOn[C interface{ detach() }](ctx context.Context, d *Dialer, l *ringo.Loop, network, address string,
	by func(d *Dialer, values context.Context, l *loop.Loop, network, address string, end time.Time) (C, error)) (C,
	error) {
	if err := dial.Ended(ctx); err != nil {
		var none C
		return none, dial.NotBegun(network, address, err)
	}
	fail := func(err error) error { return dial.Error(network, nil, err) }
	e := (*loop.Loop)(l)
	end := dial.End(ctx, e, d.Timeout, d.Deadline)
	d = d.with(ctx, end)
	return madeOn(ctx, l, fail, func() (C, error) { return by(d, ctx, e, network, address, end) })
}

// Func returns DialContext for a loop as a function of the type that other packages use, such as
// http.Transport.DialContext.
func (d *Dialer) Func(l *ringo.Loop) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, l, network, address)
		if err != nil {
			return nil, err // and not a nil *Conn in an interface
		}
		return c, nil
	}
}

// with returns d for one dial, with a Control that knows the context, and when the dial ends.
func (d *Dialer) with(ctx context.Context, end time.Time) *Dialer {
	if d.ControlContext == nil {
		return d
	}
	known := *d
	known.Control = func(network, address string, c syscall.RawConn) error {
		return d.ControlContext(limited{ctx, end}, network, address, c)
	}
	return &known
}

// limited is the context of a dial with the time at which that ends. It is not done then: the dial sees to its end.
type limited struct {
	context.Context
	end time.Time // zero: never
}

// Deadline returns the time, if there is one.
func (c limited) Deadline() (time.Time, bool) { return c.end, !c.end.IsZero() }

func (d *Dialer) dial(values context.Context, l *loop.Loop, network, address string, end time.Time) (*Conn, error) {
	trace := dial.TraceOf(values)
	switch {
	case unixNetwork(network):
		return d.dialUnix(l, network, address, end, trace)
	case network == vsock:
		return d.dialVsock(l, address, end, trace)
	}
	fail := func(err error) (*Conn, error) { return nil, dial.Error(network, nil, err) }
	if err := checkNetwork(network); err != nil {
		return fail(err)
	}
	host, port, err := dial.Target(l, d.Resolver, network, address, end)
	if err != nil {
		return fail(err)
	}
	local, wrong := localAddr[*net.TCPAddr](network, d.LocalAddr)
	values = trace.Values(values)
	families := 2
	if network != "tcp" {
		families = 1
	}
	lookup := trace.Lookups(families, func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		return dial.LookupHost(carrying{ctx, values}, d.Resolver, network, host)
	})
	if !dial.Numeric(host) {
		if wrong != nil {
			return fail(wrong)
		}
		r := dial.Race{Loop: l, Network: network, Host: host, Port: port, Local: local.Addr(), End: end,
			Delay: d.FallbackDelay, Lookup: lookup}
		if local.IsValid() {
			r.LocalName = d.LocalAddr.String()
		}
		r.Connect = func(ap netip.AddrPort, end time.Time) (io.Closer, error) {
			return d.connect(l, network, local, ap, end, trace)
		}
		c, err := r.Run()
		trace.LookedUp()
		if err != nil {
			return nil, err
		}
		return c.(*Conn), nil
	}
	addrs, err := lookup(context.Background(), network, host)
	if err == nil {
		err = wrong
	}
	if err == nil {
		addrs, err = local.suit(addrs)
	}
	if err != nil {
		return fail(err)
	}
	for i, addr := range addrs {
		ap := netip.AddrPortFrom(addr, port)
		if dial.Passed(l, end) {
			return nil, local.fail(network, tcpAddr(ap), dial.Late)
		}
		c, another := d.connect(l, network, local, ap, end, trace)
		if another == nil {
			return c, nil
		}
		if i == 0 {
			err = another
		}
	}
	if op, ok := err.(*net.OpError); ok && host == "" {
		op.Addr = &net.TCPAddr{Port: int(port)}
	}
	return nil, err
}

// carrying is a context with the values of another, the caller's, whose Done must not be waited on here.
type carrying struct {
	context.Context
	values context.Context
}

// Value looks in the context itself first.
func (c carrying) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// connect makes a connection to one address. If a socket has become its own peer, which can happen when the dialled
// port is one that the kernel gives out, connect tries again; also if the kernel had no address to give, which some
// kernels say without cause, see spuriousENOTAVAIL in package net. A port that the program has chosen is for one try:
// it may be the peer's on purpose.
func (d *Dialer) connect(l *loop.Loop, network string, local localEnd, ap netip.AddrPort, end time.Time,
	trace *dial.Trace) (c *Conn, err error) {
	if trace != nil {
		done := trace.Connect(network, tcpAddr(ap))
		defer func() { done(err) }()
	}
	const tries = 3
	for try := 1; ; try++ {
		at, err := local.forPeer(ap.Addr())
		if err == nil {
			c, err = d.connectOnce(l, at, ap, end)
		}
		last := at.Port() != 0 || try == tries
		if err != nil {
			if !last && errors.Is(err, posix.EADDRNOTAVAIL) {
				continue
			}
			return nil, local.fail(network, tcpAddr(ap), err)
		}
		c.laddr = shared(network, nameOf(l, c.core.FD(), kernel.Kernel.Getsockname))
		if ap.Addr().IsUnspecified() {
			c.raddr = nameOf(l, c.core.FD(), kernel.Kernel.Getpeername)
		}
		if c.laddr.AddrPort != c.raddr || last {
			c.setAtBirth(keepAlive(d.KeepAlive, d.KeepAliveConfig))
			return c, nil
		}
		c.Close()
	}
}

func (d *Dialer) connectOnce(l *loop.Loop, local, ap netip.AddrPort, end time.Time) (*Conn, error) {
	s, err := newTCPSocket(l.Kernel(), familyOf(ap), d.MultipathTCP)
	s, err = watchable(l, s, err)
	if err != nil {
		return nil, err
	}
	if err := d.controls().tcp(ap, s); err != nil {
		s.close()
		return nil, err
	}
	c := newConn(l, s.n)
	c.raddr = ap
	if d.Control != nil {
		c.core.SetLinger(handle.LingerOf(l, s.n))
	}
	if err = s.bindTo(local); err == nil && d.FastOpen {
		err = s.set(protoTCP, tcpFastconnect, 1)
	}
	if err == nil {
		err = dialing(c, func(to *sys.Sockaddr) { to.Set(ap) }, end)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// localEnd is a LocalAddr; the zero value means none. Without an IP, or with the unspecified one, it is of either
// family.
type localEnd struct {
	given bool
	unfit error          // why no socket can have it
	ap    netip.AddrPort // the address is invalid if it is of either family
	path  string         // of a Unix socket; "": it gets no name
	name  net.Addr       // for errors
}

// localAddr returns a LocalAddr, which must have the network's type.
func localAddr[A interface {
	comparable
	net.Addr
	AddrPort() netip.AddrPort
}](network string, addr net.Addr) (localEnd, error) {
	a, ok := addr.(A)
	var none A
	switch {
	case addr == nil, ok && a == none:
		return localEnd{}, nil
	case !ok:
		return localEnd{}, mismatched(addr)
	}
	e := localEnd{given: true, name: addr}
	ap := a.AddrPort()
	ip := ap.Addr().Unmap()
	given, port := partsOf(addr)
	if noPort(port) {
		e.unfit = callError("bind", -sys.EINVAL)
	}
	var err error
	switch {
	case ip.IsUnspecified(), len(given) == 0:
		if ip.Is6() && strings.HasSuffix(network, "4") {
			e.unfit = &net.AddrError{Err: "non-IPv4 address", Addr: "::"}
		}
		ip = netip.Addr{}
	case !ip.IsValid():
		return localEnd{}, dial.Unsuitable(addr.String())
	default:
		ip, err = dial.NumericZone(ip)
	}
	e.ap = netip.AddrPortFrom(ip, ap.Port())
	return e, err
}

// localUnix is localAddr for a Unix network.
func localUnix(network string, addr net.Addr) (localEnd, error) {
	a, ok := addr.(*net.UnixAddr)
	switch {
	case addr == nil, ok && a == nil:
		return localEnd{}, nil
	case !ok, a.Net != network:
		return localEnd{}, mismatched(addr)
	}
	return localEnd{given: true, path: a.Name, name: a}, nil
}

func mismatched(addr net.Addr) error {
	return &net.AddrError{Err: "mismatched local address type", Addr: addr.String()}
}

// partsOf returns what an address was given: the IP may be missing or malformed, and the port one that there is not.
func partsOf(addr net.Addr) (ip net.IP, port int) {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP, a.Port
	case *net.UDPAddr:
		return a.IP, a.Port
	}
	return nil, 0
}

// noPort reports whether there is no such port.
func noPort(n int) bool { return n != int(uint16(n)) }

// IsValid reports whether it has an address, and so a family.
func (e localEnd) IsValid() bool { return e.ap.Addr().IsValid() }

// Addr returns the address, invalid if it is of either family.
func (e localEnd) Addr() netip.Addr { return e.ap.Addr() }

// suit returns the addresses of a host that can be dialled from here. The unspecified address, this machine, always
// can.
func (e localEnd) suit(addrs []netip.Addr) ([]netip.Addr, error) {
	fit := addrs[:0]
	for _, a := range addrs {
		if !e.IsValid() || a.IsUnspecified() || a.Is4() == e.Addr().Is4() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, dial.Unsuitable(e.name.String())
	}
	return fit, nil
}

// forPeer returns what to bind a socket to for a peer's address; invalid: nothing.
func (e localEnd) forPeer(peer netip.Addr) (netip.AddrPort, error) {
	switch {
	case e.unfit != nil:
		return e.ap, e.unfit
	case !e.given, e.IsValid():
		return e.ap, nil
	case peer.Is4():
		return netip.AddrPortFrom(netip.IPv4Unspecified(), e.ap.Port()), nil
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), e.ap.Port()), nil
}

// fail returns the error of a dial from here to an address.
func (e localEnd) fail(network string, peer net.Addr, err error) error {
	op := &net.OpError{Op: "dial", Net: network, Addr: peer, Err: err}
	if e.given {
		op.Source = e.name
	}
	return op
}

// dialing connects to the address that to sets, and waits for the result.
func dialing(c *Conn, to func(*sys.Sockaddr), end time.Time) error {
	l := c.l
	o := l.Ops().New(op.Connect)
	if o == nil {
		return callError("connect", -sys.ENOBUFS)
	}
	defer l.Ops().Free(o)
	to(&l.Ops().Ext(o).Addr)
	o.FD = c.core.FD()
	limit := dialLimit{l: l, op: o}
	limit.t.Owner = &limit
	if !end.IsZero() {
		l.Timers().Arm(&limit.t, l.At(end))
		defer l.Timers().Remove(&limit.t)
	}
	res := l.Do(o)
	switch {
	case res >= 0:
		return nil
	case limit.passed:
		return dial.Slow
	case res == -sys.ECANCELED:
		return l.Cause()
	}
	return callError("connect", res)
}

// dialLimit ends a connect that takes too long.
type dialLimit struct {
	l      *loop.Loop
	op     *op.Op
	t      timer.Timer
	passed bool
}

// Fire cancels the connect.
func (d *dialLimit) Fire(*timer.Timer) { d.passed = d.l.Ops().Cancel(d.op) }
