package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"ringo"
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
	// way; there both are found, since net gives now the one and now the other.
	Timeout time.Duration
	// LocalAddr, if not nil, is this end's address, a *net.TCPAddr; port 0 is any. Of
	// the peer's addresses only those of its family are tried.
	LocalAddr net.Addr
	// Control, if not nil, is called with each socket that is made, before it is bound
	// or connected: to set what there is no field for. Only the Control method of its
	// argument works. An error of it fails the call. It runs on the loop and must not
	// wait.
	Control func(network, address string, c syscall.RawConn) error
}

// Dial connects to a TCP address. network is "tcp", "tcp4" or "tcp6". Names are
// looked up beside the loop, and their addresses tried one after the other. The
// connection belongs to l. Any goroutine may call it; a task parks.
func Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return new(Dialer).Dial(l, network, address)
}

// Dial is the function Dial with this configuration.
func (d *Dialer) Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	if !(*loop.Loop)(l).Here() {
		return d.DialContext(context.Background(), l, network, address)
	}
	return d.dial(l, network, address)
}

// DialContext is Dial that ends with the context. The connection belongs to l. Any
// goroutine may call it; a task parks.
func (d *Dialer) DialContext(ctx context.Context, l *ringo.Loop, network, address string) (*Conn, error) {
	e := (*loop.Loop)(l)
	if err := context.Cause(ctx); err != nil {
		return nil, dialError(network, nil, err)
	}
	here := e.Here()
	var c *Conn
	err := dialError(network, nil, ringo.ErrEnded)
	t := e.Go(func() {
		if c, err = d.dial(l, network, address); err == nil && !here {
			c.bornAway()
		}
	})
	stop := context.AfterFunc(ctx, t.Cancel)
	t.Wait()
	if !stop() && err != nil && errors.Is(err, context.Canceled) {
		err = dialError(network, nil, context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dial(l *ringo.Loop, network, address string) (*Conn, error) {
	e := (*loop.Loop)(l)
	end := time.Time{}
	if d.Timeout != 0 {
		end = time.Now().Add(d.Timeout)
	}
	local, err := d.local()
	if err != nil {
		return nil, dialError(network, nil, err)
	}
	addrs, err := resolveDial(l, network, address, end)
	if err != nil {
		return nil, dialError(network, nil, err)
	}
	if local.IsValid() {
		if addrs = slices.DeleteFunc(addrs, func(ap netip.AddrPort) bool { return ap.Addr().Is4() != local.Addr().Is4() }); len(addrs) == 0 {
			return nil, dialError(network, nil, &net.AddrError{Err: "no address of the family of LocalAddr", Addr: address})
		}
	}
	var first error
	for i, ap := range addrs {
		if i == 0 && passed(end) {
			return nil, dialError(network, tcpAddr(ap), errLate)
		}
		c, err := d.connect(e, network, local, ap, share(end, len(addrs)-i))
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if passed(end) || e.Canceled() {
			break
		}
	}
	return nil, first
}

func passed(end time.Time) bool { return !end.IsZero() && !time.Now().Before(end) }

// A dialTimeout is the error of a dial that took too long, in net's words.
type dialTimeout struct{ connecting bool }

var errLate, errSlow = &dialTimeout{}, &dialTimeout{connecting: true}

func (*dialTimeout) Error() string   { return "i/o timeout" }
func (*dialTimeout) Timeout() bool   { return true }
func (*dialTimeout) Temporary() bool { return true }

// Is finds in a connect that took too long both errors that package net may give:
// there it depends on which of two timers is first.
func (e *dialTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded || e.connecting && target == os.ErrDeadlineExceeded
}

// share is the deadline for the next of so many addresses: an equal part of the
// time that is left, but two seconds if there are as many, so that one address
// that swallows everything does not keep the others from being tried.
func share(end time.Time, addrs int) time.Time {
	if end.IsZero() {
		return end
	}
	left := time.Until(end)
	part := max(left/time.Duration(addrs), min(left, 2*time.Second))
	return end.Add(part - left)
}

// connect makes a connection to one address. A socket that got itself as its peer,
// which can happen when the port dialled is one of those given out, is tried
// again.
func (d *Dialer) connect(l *loop.Loop, network string, local, ap netip.AddrPort, end time.Time) (*Conn, error) {
	const tries = 3
	for try := 1; ; try++ {
		c, err := d.connectOnce(l, local, ap, end)
		if err != nil {
			return nil, dialError(network, tcpAddr(ap), err)
		}
		c.laddr = nameOf(l, &c.fd, op.SockName)
		if c.laddr != ap || try == tries {
			c.setAtBirth()
			return c, nil
		}
		c.Close()
	}
}

func (d *Dialer) connectOnce(l *loop.Loop, local, ap netip.AddrPort, end time.Time) (*Conn, error) {
	o := call(l, op.Socket)
	o.Arg, o.Arg2 = sys.AFInet, sys.SockStream
	if ap.Addr().Is6() {
		o.Arg = sys.AFInet6
	}
	s, _ := l.Try(o)
	if s < 0 {
		return nil, socketError(l, s)
	}
	c := newConn(l, s)
	c.raddr = ap
	c.in.ready = !l.Lends()
	err := control(d.Control, ap, s)
	if err == nil {
		err = c.bind(local)
	}
	if err == nil {
		err = dialing(c, ap, end)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// local is LocalAddr as numbers; invalid if there is none.
func (d *Dialer) local() (netip.AddrPort, error) {
	if d.LocalAddr == nil {
		return netip.AddrPort{}, nil
	}
	a, ok := d.LocalAddr.(*net.TCPAddr)
	if !ok || a == nil {
		return netip.AddrPort{}, &net.AddrError{Err: "LocalAddr is not a *net.TCPAddr", Addr: d.LocalAddr.String()}
	}
	ap := a.AddrPort()
	if !ap.Addr().IsValid() {
		return netip.AddrPort{}, &net.AddrError{Err: "LocalAddr has no address, which says the family", Addr: a.String()}
	}
	zoned, err := numericZone(ap.Addr().Unmap())
	return netip.AddrPortFrom(zoned, ap.Port()), err
}

// bind gives the socket an address of its own, if it is to have one.
func (c *Conn) bind(local netip.AddrPort) error {
	if !local.IsValid() {
		return nil
	}
	o := callExt(c.l, op.Bind)
	o.Ext.Addr.Set(local)
	if res, _ := c.try(o); res < 0 {
		return callError("bind", res)
	}
	return nil
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
	o.FD = &c.fd
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
		return errSlow
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

func dialError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: addr, Err: err}
}

// resolveDial finds the addresses of a host and port.
func resolveDial(l *ringo.Loop, network, address string, end time.Time) ([]netip.AddrPort, error) {
	if err := checkNetwork(network); err != nil {
		return nil, err
	}
	if address == "" {
		return nil, errors.New("missing address")
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
		if network == "tcp6" {
			host = "::1"
		}
	}
	var addrs []netip.Addr
	var port uint16
	err = beside(l, numeric(host) && numericPort(service), func(ctx context.Context) error {
		if !end.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end)
			defer cancel()
		}
		if !numeric(host) && passed(end) { // package net may go on for a while
			return &net.DNSError{Err: errLate.Error(), Name: host, IsTimeout: true, IsTemporary: true, UnwrapErr: errLate}
		}
		if port, err = lookupPort(ctx, network, service); err != nil {
			return err
		}
		addrs, err = lookupHost(ctx, network, host)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		list[i] = netip.AddrPortFrom(a, port)
	}
	return list, nil
}

// resolveIn is resolveListen from a task: names are looked up beside the loop.
func resolveIn(l *ringo.Loop, network, address string, ap *netip.AddrPort) error {
	host, service, err := splitListen(address)
	plain := err != nil || (host == "" || numeric(host)) && numericPort(service)
	return beside(l, plain, func(ctx context.Context) error {
		var err error
		*ap, err = resolveListen(ctx, network, address)
		return err
	})
}

// beside runs a look-up here if it asks nobody, else on a goroutine.
func beside(l *ringo.Loop, plain bool, fn func(context.Context) error) error {
	if plain {
		return fn(context.Background())
	}
	return l.Offload(fn)
}

func numeric(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func numericPort(service string) bool {
	for _, c := range service {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// lookupHost gives a host's addresses of the network's family, at least one.
func lookupHost(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip"+network[3:], host); err != nil {
		return nil, err
	}
	fit := addrs[:0]
	for _, a := range addrs {
		if a.Is4In6() {
			a = a.Unmap()
		}
		a, err := numericZone(a)
		if err != nil {
			return nil, err
		}
		if network == "tcp" || (network == "tcp4") == a.Is4() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, &net.AddrError{Err: fmt.Sprintf("no suitable address for %s", network), Addr: host}
	}
	return fit, nil
}

// numericZone turns the name of an interface into its index, which is what the
// kernel wants.
func numericZone(a netip.Addr) (netip.Addr, error) {
	zone := a.Zone()
	if zone == "" || numericPort(zone) {
		return a, nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return a, &net.AddrError{Err: err.Error(), Addr: a.String()}
	}
	return a.WithZone(fmt.Sprint(ifi.Index)), nil
}
