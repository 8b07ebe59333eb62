package sock

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Dialer is how to connect. The zero value is good.
type Dialer struct {
	// Timeout bounds the whole of a dial, the look-up of names included. 0: the
	// system's, minutes. The error of a dial that takes longer is a timeout as in
	// package net: its Timeout method says so, and errors.Is finds
	// context.DeadlineExceeded, or os.ErrDeadlineExceeded where a connect was under
	// way; there both are found, since net sometimes returns one and sometimes the other.
	Timeout time.Duration
	// Deadline, if not zero, is when a dial must be done, as Timeout is; the earlier of the two counts.
	Deadline time.Time
	// LocalAddr, if not nil, is this end's address. A *net.TCPAddr: port 0 is any, and
	// of the peer's addresses only those of its family are tried. A *net.UnixAddr of
	// the network dialled: a path becomes a file, which nobody removes.
	LocalAddr net.Addr
	// FallbackDelay is how long an attempt to connect to one of a name's addresses may
	// take before the next is begun beside it, as in RFC 8305; 0 is 250 ms. With little
	// time it is less, so that all addresses are tried. Negative: they are tried one after the other.
	FallbackDelay time.Duration
	// Resolver, if not nil, looks names up in place of net.DefaultResolver. It is called
	// on goroutines.
	Resolver *net.Resolver
	// Control, if not nil, is called with each socket that is made, before it is bound
	// or connected: to set what there is no field for. Only the Control method of its
	// argument works. An error of it fails the attempt. It runs on the loop and must not
	// wait.
	Control func(network, address string, c syscall.RawConn) error
	// ControlContext, if not nil, is called in place of Control, with the context of DialContext.
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error
	// KeepAlive is how long a connection of TCP may be idle before the first keep-alive probe. 0: 15 s, as package net
	// has it; negative: no probes.
	KeepAlive time.Duration
	// KeepAliveConfig, if its Enable is true, is in place of KeepAlive; see Conn.SetKeepAliveConfig.
	KeepAliveConfig net.KeepAliveConfig
}

// Dial connects to an address. network is "tcp", "tcp4" or "tcp6": a name is looked up
// beside the loop, and its addresses race (Happy Eyeballs, RFC 8305), those of IPv6 and
// IPv4 in turn, each next one when the one before has failed or is slow; the first to
// connect wins. Or it is "unix", a stream between Unix sockets, or "unixpacket", records
// between them (SOCK_SEQPACKET), where the address is a path, or an abstract name behind
// an @. It may take minutes; [Dialer.Timeout] and [Dialer.DialContext] limit it. The
// connection belongs to l. Any goroutine may call it; a task parks.
func Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return new(Dialer).Dial(l, network, address)
}

// Dial is the function Dial with this configuration.
func (d *Dialer) Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return d.DialContext(context.Background(), l, network, address)
}

// DialContext is Dial that ends with the context. The connection belongs to l. Any
// goroutine may call it; a task parks.
func (d *Dialer) DialContext(ctx context.Context, l *ringo.Loop, network, address string) (*Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, dial.NotBegun(network, address, err)
	}
	d = d.with(ctx)
	end := d.end()
	if limit, ok := ctx.Deadline(); ok && (end.IsZero() || limit.Before(end)) {
		end = limit
	}
	fail := func(err error) error { return dial.Error(network, nil, err) }
	e := (*loop.Loop)(l)
	if !end.IsZero() && e != nil {
		end = e.Outside(end)
	}
	return madeOn(ctx, l, fail, func() (*Conn, error) { return d.dial(e, network, address, end) })
}

// Func returns DialContext for a loop in the shape that other packages ask for, such as
// http.Transport.DialContext.
func (d *Dialer) Func(l *ringo.Loop) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, l, network, address)
		if err != nil {
			return nil, err // and no *Conn that is nil
		}
		return c, nil
	}
}

// end is when a dial that begins now must be done; zero for no limit.
func (d *Dialer) end() time.Time {
	if d.Timeout == 0 {
		return d.Deadline
	}
	end := time.Now().Add(d.Timeout)
	if !d.Deadline.IsZero() && d.Deadline.Before(end) {
		return d.Deadline
	}
	return end
}

// with is d for one dial, whose Control knows the context.
func (d *Dialer) with(ctx context.Context) *Dialer {
	if d.ControlContext == nil {
		return d
	}
	known := *d
	known.Control = func(network, address string, c syscall.RawConn) error {
		return d.ControlContext(ctx, network, address, c)
	}
	return &known
}

func (d *Dialer) dial(l *loop.Loop, network, address string, end time.Time) (*Conn, error) {
	if unixNetwork(network) {
		return d.dialUnix(l, network, address, end)
	}
	fail := func(addr net.Addr, err error) (*Conn, error) { return nil, dial.Error(network, addr, err) }
	local, err := localAddr[*net.TCPAddr](d.LocalAddr)
	if err == nil {
		err = checkNetwork(network)
	}
	if err != nil {
		return fail(nil, err)
	}
	host, port, err := dial.Target(l, d.Resolver, network, address, end)
	if err != nil {
		return fail(nil, err)
	}
	if !dial.Numeric(host) {
		r := dial.Race{Loop: l, Network: network, Host: host, Port: port, Local: local, End: end,
			Delay: d.FallbackDelay, Lookup: d.lookup}
		r.Connect = func(ap netip.AddrPort, end time.Time) (io.Closer, error) {
			return d.connect(l, network, local, ap, end)
		}
		c, err := r.Run()
		if err != nil {
			return nil, err
		}
		return c.(*Conn), nil
	}
	addrs, err := d.lookup(context.Background(), network, host)
	if err != nil {
		return fail(nil, err)
	}
	ap := netip.AddrPortFrom(addrs[0], port)
	switch {
	case local.IsValid() && ap.Addr().Is4() != local.Addr().Is4():
		return fail(nil, dial.NoFamily(address))
	case dial.Passed(end):
		return fail(tcpAddr(ap), dial.Late)
	}
	return d.connect(l, network, local, ap, end)
}

func (d *Dialer) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return dial.LookupHost(ctx, d.Resolver, network, host)
}

// connect makes a connection to one address. A socket that got itself as its peer,
// which can happen when the port dialled is one of those given out, is tried
// again.
func (d *Dialer) connect(l *loop.Loop, network string, local, ap netip.AddrPort, end time.Time) (*Conn, error) {
	const tries = 3
	for try := 1; ; try++ {
		c, err := d.connectOnce(l, local, ap, end)
		if err != nil {
			return nil, dial.Error(network, tcpAddr(ap), err)
		}
		c.laddr = shared(nameOf(l, c.core.FD(), kernel.Kernel.Getsockname))
		if *c.laddr != ap || try == tries {
			c.setAtBirth(keepAlive(d.KeepAlive, d.KeepAliveConfig))
			return c, nil
		}
		c.Close()
	}
}

func (d *Dialer) connectOnce(l *loop.Loop, local, ap netip.AddrPort, end time.Time) (*Conn, error) {
	s, err := socketFor(l, familyOf(ap), sys.SockStream)
	if err != nil {
		return nil, err
	}
	if err := control(d.Control, ap, s); err != nil {
		s.close()
		return nil, err
	}
	c := newConn(l, s.n)
	c.raddr = ap
	err = c.bind(local)
	if err == nil {
		err = dialing(c, ap, end)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// localAddr is a LocalAddr of the type that the network has as numbers; invalid if there is none.
func localAddr[A interface {
	comparable
	net.Addr
	AddrPort() netip.AddrPort
}](addr net.Addr) (netip.AddrPort, error) {
	if addr == nil {
		return netip.AddrPort{}, nil
	}
	var none A
	a, ok := addr.(A)
	if !ok || a == none {
		return netip.AddrPort{}, &net.AddrError{Err: fmt.Sprintf("LocalAddr is not a %T", none), Addr: addr.String()}
	}
	ap := a.AddrPort()
	if !ap.Addr().IsValid() {
		return ap, &net.AddrError{Err: "LocalAddr has no address, which says the family", Addr: a.String()}
	}
	zoned, err := dial.NumericZone(ap.Addr().Unmap())
	return netip.AddrPortFrom(zoned, ap.Port()), err
}

// bind gives the socket an address of its own, if it is to have one.
func (c *Conn) bind(local netip.AddrPort) error {
	if !local.IsValid() {
		return nil
	}
	return socket{c.l.Kernel(), c.core.FD().Sys()}.bind(local)
}

// dialing waits for the connect.
func dialing(c *Conn, ap netip.AddrPort, end time.Time) error {
	l := c.l
	o := l.NewOp(op.Connect)
	if o == nil {
		return callError("connect", -sys.ENOBUFS)
	}
	defer l.FreeOp(o)
	l.NewExt(o).Addr.Set(ap)
	o.FD = c.core.FD()
	limit := dialLimit{l: l, op: o}
	limit.t.Owner = &limit
	if !end.IsZero() {
		l.Arm(&limit.t, l.At(end))
		defer l.RemoveTimer(&limit.t)
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
func (d *dialLimit) Fire(*timer.Timer) {
	d.passed = true
	d.l.Cancel(d.op)
}
