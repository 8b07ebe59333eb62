package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// ListenConfig contains options for listening. The zero value is ready to use.
type ListenConfig struct {
	// AllowShared lets other processes listen on the same TCP port, and this one join them: the address is not bound
	// exclusively first.
	AllowShared bool
	// Backlog is how many connections may wait to be accepted; the kernel limits it to net.core.somaxconn. 0 means that
	// limit.
	Backlog int
	// DeferAccept, if positive, is how long the kernel holds back a connection on which no data has arrived, rounded up
	// to seconds: tcp(7), TCP_DEFER_ACCEPT. It is for servers whose peers speak first; Accept returns no silent
	// connections. Listening on a Unix socket fails if it is set.
	DeferAccept time.Duration
	// FastOpen, if positive, is how many handshakes that carry data may be pending (TCP Fast Open, RFC 7413, tcp(7),
	// TCP_FASTOPEN): it saves peers that have connected before a round trip. Such data may arrive twice. It has an
	// effect if bit 2 of net.ipv4.tcp_fastopen is set. Listening on a Unix socket fails if it is set.
	FastOpen int
	// Control, if not nil, is called with each new socket before it is bound, to set options that there is no field
	// for. Only the Control method of its argument works. If it returns an error, the call fails. It may be called from
	// any goroutine. SO_REUSEPORT set there, or SO_REUSEADDR for UDP, works as with package net: all sockets that set
	// it share the address, including a second one of the same loop.
	Control func(network, address string, c syscall.RawConn) error
	// Options are set on each new socket before Control is called; accepted connections inherit them. Listening on a
	// Unix socket fails if one is set.
	Options Options
	// KeepAlive is how long an accepted TCP connection may be idle before the first keep-alive probe. 0 means 15 s, as
	// in package net; negative means no probes.
	KeepAlive time.Duration
	// KeepAliveConfig, if its Enable is true, replaces KeepAlive; see Conn.SetKeepAliveConfig.
	KeepAliveConfig net.KeepAliveConfig
	// MultipathTCP lets peers use Multipath TCP (Linux 5.6). If the kernel does not support it, or net.mptcp.enabled is
	// 0, plain TCP is used. It is on by default in package net's listeners and off here, because every call on such a
	// connection costs more.
	MultipathTCP bool
	// Balance gives each connection to the loop that has the fewest of the set's open connections, and takes turns
	// between loops with equally many. Without it the kernel spreads peers by a hash of their addresses, or those of a
	// Unix socket over the loops that wait for peers. A connection that another loop has accepted is handed over before
	// Accept returns it. Connections that a closed listener has accepted, and no Accept has returned, go to the other
	// loops. Goroutines that call Accept wait for the listener's loop, and while one does the loop does not end.
	//
	// It is for listeners of a set, made by Reserve or ListenAndServe; several sets are balanced separately.
	// ListenConfig.Listen fails if it is set.
	Balance bool
	// SteerCPU gives each connection to the loop that is bound to the CPU on which its first packet has come in, so
	// that the kernel's part of the work and the loop's are done on one CPU, for as long as the network card brings
	// the connection's packets there (RSS, by a queue and an interrupt for each CPU). Without it, and on a CPU without
	// a loop, the kernel spreads peers by a hash of their addresses. With one queue, as in many virtual machines, all
	// connections come to one loop. When one listener closes before the others, these may change places, until it
	// listens again. It takes SO_ATTACH_REUSEPORT_CBPF (socket(7), for TCP since Linux 4.6).
	//
	// It is for TCP listeners of a set, made by Reserve or ListenAndServe; ListenConfig.Listen fails if it is set, as
	// does Reserve with Balance, OneSocket or AllowShared, for a Unix socket, and in a simulated world. The set's
	// Listen fails if the loop is not bound to a CPU of its own: Config.Place must be ringo.PerCPU or PerCore.
	SteerCPU bool
	// Limits bound what peers can take by connecting, for a set or for one loop's listener.
	Limits Limits
	// OneSocket makes the loops of a set share one listening socket, as those of a Unix socket always do. Then it can
	// be passed on, with the peers that wait in it: see ListenerSet.File and package upgrade. Each loop takes a
	// connection only when its Accept is called. That costs more for each new connection than a socket for each loop
	// does, and nothing afterwards. ListenConfig.Listen, which makes a socket for one loop, fails if it is set.
	OneSocket bool
}

// Listen makes a listener of l with a socket of its own. network is "tcp", "tcp4" or "tcp6"; for "tcp" an address
// without a host, 0.0.0.0 and :: mean all addresses of both families, as in package net. Or it is "unix", "unixpacket"
// or "vsock", where the address is CID:port, or :port for any CID of this machine; for several loops on one of these
// see ListenerSet. Loops of one Run may share an address; the kernel then spreads the peers over them (SO_REUSEPORT).
// If another program has the address, or the same loop listens on it twice, the error is EADDRINUSE. Port 0 is a new
// port for this socket; for one that all loops share see Reserve. Only a task of l may call it; it parks while a host
// name is looked up.
func Listen(l *ringo.Loop, network, address string) (*Listener, error) {
	return new(ListenConfig).Listen(l, network, address)
}

// Reserve listens at once, before Run or during it: peers queue from now on. The set makes a listener for each loop.
// Use it to get one port 0 for all loops, or to know the address early. Any goroutine may call it; a task parks while a
// host name is looked up.
func Reserve(network, address string) (*ListenerSet, error) {
	return new(ListenConfig).Reserve(network, address)
}

// Listen is like the function Listen, with these options.
func (lc *ListenConfig) Listen(l *ringo.Loop, network, address string) (*Listener, error) {
	e := (*loop.Loop)(l)
	if !e.IsCurrent() {
		return nil, listenError(network, nil, stranger(e))
	}
	if err := lc.forSets(); err != nil {
		return nil, listenError(network, nil, err)
	}
	switch {
	case unixNetwork(network):
		return lc.listenUnix(e, network, address)
	case network == vsock:
		return lc.listenVsock(e, address)
	}
	var ap netip.AddrPort
	err := checkNetwork(network)
	if err == nil {
		err = resolveIn(e, network, address, &ap)
	}
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	j := joinOf(e, joinKey{})
	s, _, err := j.open(e, lc, ap, func(alone bool) (socket, netip.AddrPort, error) {
		s, err := lc.open(e.Kernel(), network, ap, alone)
		return s, ap, err
	})
	if err != nil {
		return nil, asNamed(listenError(network, tcpAddr(ap), err), address)
	}
	return lc.Limits.of(newListener(e, network, s.n, nil, func() { j.leave(e, ap) }))
}

// Reserve is like the function Reserve, with these options.
func (lc *ListenConfig) Reserve(network, address string) (*ListenerSet, error) {
	if err := loop.Astray("ListenConfig.Reserve"); err != nil {
		return nil, listenError(network, nil, err)
	}
	switch {
	case unixNetwork(network):
		return lc.reserveUnix(network, address)
	case network == vsock:
		return lc.reserveVsock(address)
	}
	ap, err := resolveHere(network, address, checkNetwork)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	set := &ListenerSet{reserved: reserve(network), lc: *lc, balance: balance{evens: lc.Balance},
		limits: newLimiter(lc.Limits)}
	if lc.SteerCPU && set.home != nil {
		return nil, listenError(network, tcpAddr(ap), fmt.Errorf("ListenConfig.SteerCPU: %w in a simulated world",
			errors.ErrUnsupported))
	}
	s, err := lc.open(set.k, network, ap, !lc.AllowShared)
	if set.first = s.n; err == nil {
		_, err = s.orClose(set.nameTCP())
	}
	if err != nil {
		return nil, asNamed(listenError(network, tcpAddr(ap), err), address)
	}
	if lc.OneSocket {
		set.share, set.file = new(sharedSocket), newSocketFile(set.k, "")
	}
	return set, nil
}

// forSets fails if an option is set that is for sets only: one loop's listener has no other to share with.
func (lc *ListenConfig) forSets() error {
	switch {
	case lc.Balance:
		return fmt.Errorf("ListenConfig.Balance: %w: of one loop's listener; see Reserve", errors.ErrUnsupported)
	case lc.OneSocket:
		return fmt.Errorf("ListenConfig.OneSocket: %w: of one loop's listener; see Reserve", errors.ErrUnsupported)
	case lc.SteerCPU:
		return fmt.Errorf("ListenConfig.SteerCPU: %w: of one loop's listener; see Reserve", errors.ErrUnsupported)
	}
	return nil
}

// nameTCP notes the address of a new set's socket.
func (s *ListenerSet) nameTCP() (err error) {
	s.addr, err = socket{s.k, s.first}.addrPort()
	s.tcp = tcpAddr(s.addr)
	return err
}

// reserved is a reserved address, for which loops get their sockets later.
type reserved struct {
	k       kernel.Kernel // the kernel that has the sockets
	home    *loop.Loop    // of the simulated world that reserved it; nil: in none
	network string

	mu     sync.Mutex
	closed bool
}

// reserve begins to reserve an address.
func reserve(network string) reserved {
	return reserved{k: loop.Kernel(), home: loop.Home(), network: network}
}

// giveUp ends the reservation once. drop closes the sockets that no loop has; it is called under mu.
func (r *reserved) giveUp(addr net.Addr, drop func()) error {
	if r.network == "" {
		return errZero // and the descriptor 0 is not its own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &net.OpError{Op: "close", Net: r.network, Addr: addr, Err: net.ErrClosed}
	}
	r.closed = true
	if r.home == nil || !r.home.Killed() { // else the crash has closed them
		drop()
	}
	return nil
}

// A ListenerSet is a reserved address, from which each loop takes a listener.
type ListenerSet struct {
	reserved
	lc      ListenConfig
	addr    netip.AddrPort
	tcp     *net.TCPAddr  // the same
	unix    *net.UnixAddr // of a Unix socket
	vsock   *VsockAddr    // of a vsock socket
	file    *socketFile
	share   *sharedSocket // if the listeners share the one socket
	adopted bool          // it came from elsewhere
	balance balance
	limits  *limiter

	first int32 // the reserved socket, -1 when it has been taken or closed
	taken map[*loop.Loop]bool
	steer steering
}

// Listen makes the loop's listener. For a TCP address the first call takes the reserved socket and further calls open
// sockets beside it, over which the kernel spreads the peers. Where that is impossible the listeners share the socket:
// each takes a connection only when its Accept is called, and when one closes the others get the peers. Only a task of
// l may call it, once per loop while that listener is open.
func (s *ListenerSet) Listen(l *ringo.Loop) (*Listener, error) {
	e := (*loop.Loop)(l)
	switch {
	case s.network == "":
		return nil, errZero
	case !e.IsCurrent():
		return nil, listenError(s.network, s.Addr(), stranger(e))
	}
	if err := s.strange(e); err != nil {
		return nil, listenError(s.network, s.Addr(), err)
	}
	fd, file, err := s.openFor(e)
	if err != nil {
		return nil, listenError(s.network, s.Addr(), err)
	}
	ln, err := newListener(e, s.network, fd, file, func() { s.closedOn(e) })
	if err != nil {
		return nil, err
	}
	if s.share != nil {
		s.share.join(ln)
	}
	ln.counts.limits = s.limits
	s.balance.join(ln)
	return ln, nil
}

// strange returns why a loop can't have a socket of the set, which is of another world or host, or from before a crash.
func (s *reserved) strange(l *loop.Loop) error {
	if s.home != nil {
		return s.home.StrangerTo("a call on what a task of a simulated world has reserved")
	}
	return l.World().Passage()
}

// openFor gives a loop the reserved socket, a descriptor of the shared one, or a new socket beside the others.
func (s *ListenerSet) openFor(l *loop.Loop) (fd int32, file *socketFile, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.lc.steerable(l); err != nil {
		return -1, nil, err
	}
	switch {
	case s.closed:
		err = net.ErrClosed
	case s.taken[l]:
		err = inUse
	case s.share != nil:
		if err = s.reopen(l); err == nil {
			fd = s.k.Dup(s.first)
			err = called("fcntl", fd)
		}
		if err == nil {
			file = s.file.share()
		}
	case s.first < 0:
		var o socket
		o, err = s.lc.open(s.k, s.network, s.addr, false)
		fd = o.n
	default:
		fd, s.first = s.first, -1
	}
	if err == nil && s.lc.SteerCPU {
		if err = s.steer.to(l, socket{s.k, fd}); err != nil {
			s.k.Close(fd)
		}
	}
	if err != nil {
		return -1, nil, err
	}
	if s.taken == nil {
		s.taken = map[*loop.Loop]bool{}
	}
	s.taken[l] = true
	return fd, file, nil
}

// closedOn is called when a loop's listener has closed.
func (s *ListenerSet) closedOn(l *loop.Loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, l)
	s.steer.leave(l)
	if s.share != nil && len(s.taken) == 0 {
		s.drop() // peers must not queue where no loop accepts
	}
}

// Addr returns the address with the real port, always as the same pointer. Any goroutine may call it.
func (s *ListenerSet) Addr() net.Addr { return addrOf(s.tcp, s.unix, s.vsock) }

// Close gives up the reservation; listeners made from it stay open. Any goroutine may call it. Closing again returns
// net.ErrClosed.
func (s *ListenerSet) Close() error { return s.giveUp(s.Addr(), s.drop) }

// drop closes the reserved socket, if it is there. The caller holds mu.
func (s *ListenerSet) drop() {
	if s.first >= 0 {
		s.file.release()
		s.k.Close(s.first)
		s.first = -1
	}
}

// join is what the loops of one Run know of each other's listeners, or of each other's datagram sockets.
type join struct {
	mu    sync.Mutex
	addrs map[netip.AddrPort]map[*loop.Loop]int
}

type joinKey struct{ packets bool }

func joinOf(l *loop.Loop, of joinKey) *join {
	j, _ := l.Set().Shared.LoadOrStore(of, &join{addrs: map[netip.AddrPort]map[*loop.Loop]int{}})
	return j.(*join)
}

// open makes a loop's socket, alone on its address or beside those of other loops of the Run, by a function that
// returns the address that others may share. The lock spans the bind, so that of two loops one is the first. Options
// that Control sets allow to share an address as well, and are the only way for one loop to do so twice.
func (j *join) open(l *loop.Loop, lc *ListenConfig, ap netip.AddrPort,
	make func(alone bool) (socket, netip.AddrPort, error)) (socket, netip.AddrPort, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	loops := j.addrs[ap]
	if loops[l] > 0 && lc.Control == nil {
		return socket{}, ap, inUse
	}
	s, got, err := make(!lc.AllowShared && (len(loops) == 0 || loops[l] > 0))
	if err != nil || got.Port() == 0 {
		return s, got, err
	}
	if j.addrs[got] == nil {
		j.addrs[got] = map[*loop.Loop]int{}
	}
	j.addrs[got][l]++
	return s, got, nil
}

func (j *join) leave(l *loop.Loop, ap netip.AddrPort) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if loops := j.addrs[ap]; loops[l] > 1 {
		loops[l]--
		return
	}
	delete(j.addrs[ap], l)
	if len(j.addrs[ap]) == 0 {
		delete(j.addrs, ap)
	}
}

// backlogMax is more than the kernel queues, which clips it to net.core.somaxconn.
const backlogMax = 65535

// open makes a listening socket. alone means that no other socket may listen on the address yet: SO_REUSEPORT is set
// only at the end, so that siblings can join later. Until then bind fails if another socket listens there, and listen
// fails if another was bound at the same time and was faster: with SO_REUSEADDR two sockets may be bound, but only one
// can listen.
//
// Control is called behind the options that package net sets before it, so that it has the last word.
func (lc *ListenConfig) open(k kernel.Kernel, network string, ap netip.AddrPort, alone bool) (socket, error) {
	if err := lc.check(network); err != nil {
		return socket{}, err
	}
	s, err := newTCPSocket(k, familyOf(ap), lc.MultipathTCP)
	if err != nil {
		return s, err
	}
	return s.orClose(first(
		func() error { return s.setFamilies(ap, !strings.HasSuffix(network, "6") && ap.Addr().IsUnspecified()) },
		func() error { return s.set(solSocket, soReuseaddr, 1) },
		func() error { return lc.controls().tcp(ap, s) },
		func() error { return s.reusePort(!alone) },
		func() error { return s.bind(ap) },
		func() error { return lc.listen(s, false) },
		func() error { return s.reusePort(true) }))
}

// listen makes a bound socket listen. With again, options that are off are set, too: others may have turned them on.
func (lc *ListenConfig) listen(s socket, again bool) (err error) {
	keep := keepAlive(lc.KeepAlive, lc.KeepAliveConfig)
	set := func(level, name, value int, optional bool) {
		if err != nil || value == 0 && !again {
			return
		}
		if err = s.set(level, name, value); optional && errors.Is(err, posix.ENOPROTOOPT) {
			err = nil // a system without the option
		}
	}
	// What accepted sockets inherit: what package net sets on each.
	set(protoTCP, tcpNodelay, 1, false)
	set(solSocket, soKeepalive, boolInt(keep.Enable), false)
	if keep.Enable {
		idle, interval, count := probes(keep)
		for option, v := range map[int]int{tcpKeepidle: idle, tcpKeepintvl: interval, tcpKeepcnt: count} {
			if v >= 0 {
				set(protoTCP, option, v, !lc.KeepAliveConfig.Enable)
			}
		}
	}
	set(protoTCP, tcpDefer, seconds(max(lc.DeferAccept, 0)), lc.DeferAccept <= 0)
	set(protoTCP, tcpFastopen, max(lc.FastOpen, 0), lc.FastOpen <= 0)
	if err == nil {
		err = s.listen(lc.Backlog)
	}
	return err
}

// resolveHere is resolveListen for any caller, and for the networks that check allows.
func resolveHere(network, address string, check func(network string) error) (ap netip.AddrPort, err error) {
	if err := check(network); err != nil {
		return ap, err
	}
	if l, _ := loop.Current(); l != nil {
		err = resolveIn(l, network, address, &ap)
		return ap, err
	}
	return resolveListen(context.Background(), kernel.Host{}, network, address)
}

// resolveIn is resolveListen for a task: names are looked up beside the loop.
func resolveIn(l *loop.Loop, network, address string, ap *netip.AddrPort) error {
	host, service, err := splitListen(address)
	plain := err != nil || (host == "" || dial.Numeric(host)) && dial.NumericPort(service)
	return dial.Beside(l, plain, time.Time{}, func(ctx context.Context) (err error) {
		*ap, err = resolveListen(ctx, l.Kernel(), network, address)
		return err
	})
}

// resolveListen makes an address to bind of one that may lack a host. No host, or the unspecified address, means all
// addresses: of both families where one socket can have both, else of IPv4.
func resolveListen(ctx context.Context, k kernel.Kernel, network, address string) (netip.AddrPort, error) {
	host, service, err := splitListen(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := dial.LookupPort(ctx, nil, network, service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	all := netip.IPv6Unspecified()
	if family := network[3:]; family == "4" {
		all = netip.IPv4Unspecified()
	} else if six, both := haveIPv6(k); family == "" && (!six || !both && host != all.String()) {
		all = netip.IPv4Unspecified()
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && wildcard(network, a) {
		return netip.AddrPortFrom(all, port), nil
	}
	addrs, err := dial.LookupHost(ctx, nil, network, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	first := max(0, slices.IndexFunc(addrs, netip.Addr.Is4)) // as in package net: of IPv4 if there is one
	return netip.AddrPortFrom(addrs[first], port), nil
}

// wildcard reports whether an address means all addresses, as no host does. As in net, 0.0.0.0 means all addresses of
// both families for "tcp", and :: all of IPv4 for "tcp4"; likewise for UDP.
func wildcard(network string, a netip.Addr) bool {
	return a.Unmap().IsUnspecified() && (network[3:] != "6" || a == netip.IPv6Unspecified())
}

// splitListen is net.SplitHostPort; an empty address means any port of all addresses.
func splitListen(address string) (host, service string, err error) {
	if address == "" {
		return "", "", nil
	}
	return net.SplitHostPort(address)
}

// haveIPv6 reports whether IPv6 sockets can be bound here, and whether they can serve both families. It binds to all
// addresses, as package net does: the loopback interface may have no IPv6 address, and other interfaces may get theirs
// later.
func haveIPv6(k kernel.Kernel) (six, both bool) {
	s, err := newSocket(k, sys.AFInet6, sys.SockStream)
	if err != nil {
		return false, false
	}
	defer s.close()
	both = s.set(protoIPv6, ipv6Only, 0) == nil
	return s.bind(netip.AddrPortFrom(netip.IPv6Unspecified(), 0)) == nil, both
}

// setFamilies makes a socket for an IPv6 address serve IPv4 too, or not. On OpenBSD and DragonFly no socket can do
// both, so there a failure to turn that on is ignored.
func (s socket) setFamilies(ap netip.AddrPort, both bool) error {
	if !ap.Addr().Is6() {
		return nil
	}
	err := s.set(protoIPv6, ipv6Only, boolInt(!both))
	if both && (errors.Is(err, posix.EINVAL) || errors.Is(err, posix.EOPNOTSUPP) || errors.Is(err, posix.ENOPROTOOPT)) {
		return nil
	}
	return err
}

// unknownNetwork returns the error for a network that a function does not have. For another network of this package it
// adds the functions that have it to the name, because the error's type is package net's.
func unknownNetwork(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix", "unixpacket", vsock:
		network += ": see Listen and Dial"
	case "udp", "udp4", "udp6":
		network += ": see ListenPacket and DialPacket"
	case unixgram:
		network += ": see ListenUnixgram and DialUnixgram"
	}
	return net.UnknownNetworkError(network)
}

func checkNetwork(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return nil
	}
	return unknownNetwork(network)
}

func listenError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
}

// asNamed makes the error of a listen on all addresses show the host that the caller has named, or none.
func asNamed(err error, address string) error {
	e, ok := err.(*net.OpError)
	host, _, bad := splitListen(address)
	ip, _ := netip.ParseAddr(host)
	if !ok || bad != nil || host != "" && !ip.Unmap().IsUnspecified() {
		return err
	}
	if host != "" && !strings.HasSuffix(e.Net, "6") { // as in package net, even for [::]
		ip = netip.IPv4Unspecified()
	}
	switch a := e.Addr.(type) {
	case *net.TCPAddr:
		e.Addr = &net.TCPAddr{IP: ip.AsSlice(), Port: a.Port}
	case *net.UDPAddr:
		e.Addr = &net.UDPAddr{IP: ip.AsSlice(), Port: a.Port}
	}
	return e
}

// inUse is the kernel's error for a busy address.
var inUse = callError("bind", -sys.EADDRINUSE)
