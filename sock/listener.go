package sock

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// A Listener is a listening socket of one loop: a net.Listener. Any goroutine may use it; connections belong to its
// loop in any case.
type Listener struct {
	l     *loop.Loop
	core  handle.Core
	own   handle.Own
	net   string // the network, as the program has named it
	addr  netip.AddrPort
	tcp   *net.TCPAddr            // the same
	local atomic.Pointer[ownAddr] // that the last connection had
	// Connections inherit SO_LINGER, see https://man7.org/linux/man-pages/man2/accept.2.html and inet_csk_clone_lock.
	linger atomic.Int32  // the argument of SetLinger plus 1
	unix   *net.UnixAddr // of a Unix listener
	vsock  *VsockAddr    // of a vsock listener
	file   *socketFile   // of a Unix listener
	leave  func()        // tells the Run that the loop no longer listens there

	share  *sharedSocket // if the socket is not this loop's alone
	asked  bool          // a task waits in Accept; under share.mu
	member *member       // of the set that it is of; nil: of none

	// Used by the caller that has access, of whatever kind, and by the accept that the loop has armed while the
	// direction is the loop's.
	queue fdQueue
	err   int32
	pause backoff
	lost  int         // accepts in a row that failed for their peers: see peersMax
	timer timer.Timer // of a pause of the loop's

	backlog backlog

	counts *acceptCounts
}

// queueMax bounds the connections that are accepted ahead, before any caller asks for them; the rest wait in the
// kernel's backlog.
const queueMax = 256

// The first and the longest pause after the process ran out of something.
const (
	backoffMin = backoff(5 * time.Millisecond)
	backoffMax = backoff(100 * time.Millisecond)
)

// peersMax is how many accepts in a row may fail because of their peers before there is a pause of backoffMin. The
// pause keeps failures that never end, as under a filter of system calls, from keeping a processor busy; it is short,
// so a peer that causes failures at will keeps no others out.
const peersMax = 16

// backoff is the length of the last pause.
type backoff time.Duration

// next returns the length of the next pause.
func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoffMin), backoffMax)
	return time.Duration(*b)
}

// newListener makes a listener of a listening socket, which it closes if it fails. The listener is a user of file,
// which is nil except for Unix sockets that this package has made.
func newListener(l *loop.Loop, network string, s int32, file *socketFile, leave func()) (*Listener, error) {
	ln := &Listener{l: l, net: network, file: file, leave: sync.OnceFunc(leave), counts: new(acceptCounts)}
	ln.core.Messages()
	loopStateOf(l) // goroutines that accept need a part of it, and may not make it
	ln.core.Init(l, &listenerHooks{ln: ln}, loop.KindListener, s, &ln.own)
	ln.core.LendAll()
	ln.timer.Owner = (*listenerAlarm)(ln)
	sa, err := socket{l.Kernel(), s}.name()
	switch {
	case err != nil:
	case unixNetwork(network):
		ln.becomeUnix(unixAddr(sa, network))
	case network == vsock:
		ln.vsock = new(VsockAddr)
		ln.vsock.CID, ln.vsock.Port = sa.Vsock()
	default:
		ln.addr = unmapped(sa.AddrPort())
		ln.tcp = tcpAddr(ln.addr)
		ln.askLinger()
	}
	if err != nil {
		ln.core.BeginClose()
		return nil, listenError(network, nil, err)
	}
	if err := l.Unwatchable(s); err != nil {
		ln.core.BeginClose()
		return nil, listenError(network, ln.Addr(), os.NewSyscallError("socket", err))
	}
	listening.add(ln)
	if l.Draining() {
		ln.core.BeginClose()
	}
	return ln, nil
}

// Addr returns the listener's address, a *net.TCPAddr, a *net.UnixAddr or a *VsockAddr. Any goroutine may call it.
func (ln *Listener) Addr() net.Addr { return addrOf(ln.tcp, ln.unix, ln.vsock) }

// addrOf returns the one of the addresses that is there.
func addrOf(tcp *net.TCPAddr, unix *net.UnixAddr, vsock *VsockAddr) net.Addr {
	switch {
	case unix != nil:
		return unix
	case vsock != nil:
		return vsock
	case tcp == nil:
		return new(net.TCPAddr) // of a zero value
	}
	return tcp
}

// Accept parks until there is a connection. It waits out shortages (EMFILE, ENFILE, ENOBUFS, ENOMEM, and ENOSPC, which
// means fs.epoll.max_user_watches), reports them, and counts them in stats.Loop.Backoffs. It ignores errors of a single
// peer, such as ECONNABORTED, EPROTO or EPERM (see accept(2)). It returns net.ErrClosed after Close, and once Run's
// context has ended and all peers that had connected by then were accepted. Any goroutine may call it; callers that are
// not tasks of the loop do not keep the loop alive. Callers take turns in order of arrival. As long as no task calls
// it, goroutines accept without involving the loop. With ListenConfig.Balance, and with Limits where loops share a
// socket, callers that are not tasks of the loop need it, and keep it alive.
func (ln *Listener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptTCP is AcceptConn under the name that it has in a *net.TCPListener. On a listener of another network it fails
// with EOPNOTSUPP. A task parks.
func (ln *Listener) AcceptTCP() (*Conn, error) { return ln.acceptOf(ln.tcp != nil) }

// AcceptUnix is AcceptConn under the name that it has in a *net.UnixListener. On a listener of another network it fails
// with EOPNOTSUPP. A task parks.
func (ln *Listener) AcceptUnix() (*Conn, error) { return ln.acceptOf(ln.unix != nil) }

func (ln *Listener) acceptOf(network bool) (*Conn, error) {
	if !network && ln.l != nil {
		return nil, ln.fail("accept", callError("accept4", -sys.EOPNOTSUPP))
	}
	return ln.AcceptConn()
}

// SetDeadline makes Accept fail with os.ErrDeadlineExceeded from t on, including calls that are waiting; the zero time
// means no deadline. Peers that connect meanwhile wait to be accepted. Any goroutine may call it; it does not park.
func (ln *Listener) SetDeadline(t time.Time) error {
	if err := ln.core.SetDeadline(t, true, false); err != nil {
		return ln.fail("set", err)
	}
	return nil
}

// AcceptConn is Accept, but returns a *Conn. A task parks.
func (ln *Listener) AcceptConn() (*Conn, error) {
	if ln.gets() && !ln.l.IsCurrent() {
		return ln.acceptByTask()
	}
	return ln.acceptConn()
}

// gets reports whether other loops bring connections to the loop: of a set with Balance, or those that wait for their
// place where loops share a socket. Only a task hears of them. G.
func (ln *Listener) gets() bool {
	m := ln.member
	return m != nil && m.of.evens || ln.share != nil && ln.counts.limits != nil
}

// acceptByTask is AcceptConn for a foreign caller of a listener that gets connections.
func (ln *Listener) acceptByTask() (*Conn, error) {
	return madeOn(context.Background(), (*ringo.Loop)(ln.l), func(err error) error {
		if err == ringo.ErrEnded {
			err = errEnded
		}
		return ln.fail("accept", err)
	}, ln.acceptConn)
}

// acceptConn is AcceptConn on the listener itself.
func (ln *Listener) acceptConn() (*Conn, error) {
	a, err := ln.core.Enter(handle.In)
	if err != nil {
		return ln.acceptLate(err)
	}
	var c *Conn
	var got arrival
	if !a.Own() {
		c, err = ln.acceptForeign(a)
	} else if got, err = ln.acceptHere(); err == nil {
		c = ln.accepted(got, true, &loopStateOf(ln.l).name)
	}
	ln.core.Leave(a)
	if err != nil {
		return ln.acceptLate(err)
	}
	return c, nil
}

// acceptHere returns the descriptor of the next connection to a task of the loop that has access.
func (ln *Listener) acceptHere() (arrival, error) {
	if ln.share == nil {
		return ln.acceptOwn()
	}
	return ln.acceptShared()
}

// acceptOwn is acceptHere where the loop accepts ahead, because the socket is its own.
func (ln *Listener) acceptOwn() (got arrival, err error) {
	late := ln.core.Late(handle.In)
	if ln.l.ChargeAndYield(); late != nil {
		return got, late
	}
	for {
		if s, ok := ln.pop(); ok {
			switch got, v := ln.admit(s); v {
			case admitted:
				return got, nil
			case refused:
				continue
			}
		}
		if err := ln.over(); err != nil {
			ln.leaves()
			return got, err
		}
		ln.arm()
		ln.core.Wait()
	}
}

// pop takes the first connection that was accepted ahead. The caller has access.
func (ln *Listener) pop() (int32, bool) {
	s, ok := ln.queue.pop()
	ln.counts.ahead.Store(int64(ln.queue.len()))
	return s, ok
}

// over returns the error for which a task of the loop must not wait for connections, nil if it may.
func (ln *Listener) over() error {
	if err := ln.core.State(handle.In); err != nil {
		return err
	}
	if err := ln.refused(); err != nil {
		return err
	}
	if ln.l.Canceled() {
		return ln.l.Cause()
	}
	return nil
}

// refused returns the error with which an accept of the loop has ended, to the first caller that asks.
func (ln *Listener) refused() error {
	err := ln.err
	if err == 0 {
		return nil
	}
	ln.err = 0
	return callError("accept4", err)
}

// accepted makes a connection of an accepted descriptor, for a task of the loop or a foreign caller. sa is memory for
// equip. G.
func (ln *Listener) accepted(a arrival, own bool, sa *sys.Sockaddr) (c *Conn) {
	if own {
		c = newConn(ln.l, a.fd)
	} else {
		c = newDetached(ln.l, a.fd)
	}
	ln.equip(c, a.peer, sa)
	if c.core.HasConnected(); !own {
		c.detach()
	}
	return c
}

// askLinger asks the kernel what connections will inherit of SO_LINGER.
func (ln *Listener) askLinger() {
	ln.linger.Store(int32(handle.LingerOf(ln.l, ln.core.FD().Sys()) + 1))
}

// equip sets the addresses of an accepted connection, and what it has inherited; sa is memory for the calls that ask
// for the addresses. peer is set if there are limits: their check has asked for it. G.
func (ln *Listener) equip(c *Conn, peer netip.AddrPort, sa *sys.Sockaddr) {
	ln.counts.accepted.Add(1)
	c.core.SetLinger(int(ln.linger.Load()) - 1)
	if ln.unix != nil {
		c.becomeUnix(*ln.unix, unixNameBy(ln.l, sa, c.core.FD(), kernel.Kernel.Getpeername, ln.unix.Net))
		c.unix.from = ln.counts
		return
	}
	if ln.vsock != nil {
		c.becomeVsock(sa, ln.counts)
		return
	}
	if c.raddr = peer; ln.counts.limits == nil { // else peer is the address that was counted
		c.raddr = nameBy(ln.l, sa, c.core.FD().Sys(), kernel.Kernel.Getpeername)
	}
	local := ln.addr
	if local.Addr().IsUnspecified() {
		local = nameBy(ln.l, sa, c.core.FD().Sys(), kernel.Kernel.Getsockname)
	}
	c.laddr = ln.local.Load()
	if c.laddr == nil || c.laddr.AddrPort != local {
		c.laddr = &ownAddr{AddrPort: local, version: versionOf(ln.net), from: ln.counts}
		ln.local.Store(c.laddr)
	}
}

// ownAddr is the local address of connections, several of which may share one.
type ownAddr struct {
	netip.AddrPort
	version byte          // of IP, if the network's name has it: '4' or '6'
	from    *acceptCounts // of the listener that accepted them; nil: none did
	vsock   *vsockEnds    // of a vsock connection: what it has in place of the AddrPort
}

// shared returns an address as an ownAddr of its own.
func shared(network string, ap netip.AddrPort) *ownAddr {
	return &ownAddr{AddrPort: ap, version: versionOf(network)}
}

// versionOf returns the version of IP in the name of a TCP network, 0 if there is none.
func versionOf(network string) byte {
	if len(network) == len("tcp4") {
		return network[3]
	}
	return 0
}

func (ln *Listener) fail(name string, err error) error {
	if ln.l == nil {
		return errZero
	}
	return &net.OpError{Op: name, Net: ln.net, Addr: ln.Addr(), Err: err}
}

// arm starts the accept, unless one is armed or a pause is on.
func (ln *Listener) arm() {
	d := ln.core.Own(handle.In)
	if d.Op != nil || ln.timer.Armed() {
		return
	}
	if !ln.mayAccept() {
		return
	}
	o := ln.l.Ops().New(op.Accept)
	if o == nil {
		ln.ended(-sys.ENOBUFS)
		return
	}
	// Keep: at the queue's bound the accept is cancelled, and peers that it takes
	// until then are served like the others.
	o.FD, o.Flags, o.Sink = ln.core.FD(), op.Keep, (*listenerSink)(ln)
	if ln.counts.limits == nil { // with limits only one is accepted ahead
		o.Flags |= op.Multishot
	}
	d.Op = o
	ln.l.Ops().Submit(o)
}

// listenerSink is the listener as the sink of its armed accept.
type listenerSink Listener

// Complete takes a result of the accept.
func (s *listenerSink) Complete(o *op.Op, res int32, flags uint32) {
	ln := (*Listener)(s)
	closing := ln.core.Closing()
	if flags&op.More == 0 {
		ln.core.Own(handle.In).Op = nil
		ln.l.Ops().Free(o)
	}
	switch {
	case res >= 0 && closing:
		ln.member.add(1)
		ln.member.turnAway(ln.l, res)
	case res >= 0:
		if ln.came(); !ln.place(res) {
			break
		}
		ln.counts.ahead.Store(int64(ln.queue.len()) + 1)
		if ln.queue.push(res); ln.queue.len() >= queueMax {
			ln.cancelAccept()
		}
	case !closing:
		ln.ended(res)
	}
	ln.core.Wake()
	switch {
	case closing:
		ln.core.Settle()
	case flags&op.More == 0 && ln.backlog.expected:
		ln.closeForLate()
	}
}

// cancelAccept cancels the accept that is under way.
func (ln *Listener) cancelAccept() {
	if o := ln.core.Own(handle.In).Op; o != nil && !o.Canceled {
		ln.l.Ops().Cancel(o)
	}
}

// came resets the pause and the count of failures, because an accept has succeeded.
func (ln *Listener) came() { ln.pause, ln.lost = 0, 0 }

// ended notes the error with which an accept of the loop has ended, for the next caller. If it is worth to accept
// again, it notes nothing, and starts a pause if there is to be one.
func (ln *Listener) ended(res int32) {
	switch pause, again := ln.again(res); {
	case !again:
		ln.err = res
	case pause > 0:
		ln.l.Backoff(ln.Addr(), res)
		ln.l.Timers().Arm(&ln.timer, ln.l.After(pause))
	}
}

// again reports whether to accept again after an accept that returned res, and after what pause. It returns false if
// something is wrong with the socket.
func (ln *Listener) again(res int32) (pause time.Duration, again bool) {
	switch {
	case res == -sys.ECANCELED:
		return 0, true
	case shortage(res):
		pause = ln.pause.next()
	case !ofPeer(res):
		ln.counts.errors.Add(1)
		return 0, false
	default:
		if ln.lost++; ln.lost < peersMax {
			return 0, true
		}
		ln.lost, pause = 0, time.Duration(backoffMin)
	}
	ln.counts.backoffs.Add(1)
	return pause, true
}

// shortage reports whether an accept failed for lack of something that may be free again later.
func shortage(res int32) bool {
	switch -res {
	case sys.EMFILE, sys.ENFILE, sys.ENOBUFS, sys.ENOMEM, sys.ENOSPC: // the last is of epoll_ctl(2)
		return true
	}
	return false
}

// ofPeer reports whether an accept failed because of the connection that it took, which is gone, and not because of the
// socket: the errors that accept(2) says to treat like EAGAIN, and the others of accept(2) that concern a connection.
// EPERM is a firewall's.
func ofPeer(res int32) bool {
	switch -res {
	case sys.ECONNABORTED, sys.ECONNRESET, sys.EPERM, sys.EPROTO, sys.ETIMEDOUT,
		sys.ENETDOWN, sys.ENETUNREACH, sys.EHOSTDOWN, sys.EHOSTUNREACH, sys.ENONET,
		sys.ENOPROTOOPT, sys.EOPNOTSUPP, sys.EPROTONOSUPPORT, sys.ESOCKTNOSUPPORT, sys.ENOSR:
		return true
	}
	return false
}

// listenerAlarm is the listener as the owner of its timer.
type listenerAlarm Listener

// Fire ends a pause.
func (a *listenerAlarm) Fire(*timer.Timer) { a.core.Wake() }

// Close stops listening. Calls of Accept in flight return net.ErrClosed; Close waits until they have released the
// descriptor. A task parks, even if it is cancelled. Accepted connections stay open; those not yet returned by Accept
// are closed. Closing again waits for the first Close and returns net.ErrClosed. Any goroutine may call it.
func (ln *Listener) Close() error {
	if err := ln.core.Close(); err != nil {
		return ln.fail("close", err)
	}
	return nil
}

// listenerHooks is the listener as the Hooks of its core. At a handover the connections that were accepted ahead stay
// in the queue, which belongs to the caller that has access.
type listenerHooks struct {
	handle.NoHooks
	ln *Listener
}

// DescribeWait names the call.
func (o *listenerHooks) DescribeWait(_ handle.Dir, d *loop.Wait) { d.Op = "accept" }

// Tell drains or closes the listener, step by step.
func (o *listenerHooks) Tell(e handle.Event) {
	ln := o.ln
	switch e {
	case handle.Draining: // peers that have not connected yet are refused
		if ln.l.Stopping() {
			ln.core.BeginClose()
		} else {
			ln.drain()
		}
	case handle.CloseCalled: // Accept returns no more connections
		ln.backlog.end(ln.l)
	case handle.Closing:
		ln.closing()
	case handle.Settled: // connections that no caller took are closed, or kept for callers to come
		ln.takeLast()
	case handle.Uncounted:
		listening.remove(ln)
	case handle.Closed:
		// The address is no longer in use. If the loop had ended before the last caller left, there was no Settled.
		ln.backlog.take(ln.l, &ln.queue)
		ln.leave()
	case handle.Abandoned: // the address must be free when Run returns
		ln.core.AwaitForeign()
	}
}

// closing gives up what the listener has beside its descriptor, and leaves the socket to others that share it.
func (ln *Listener) closing() {
	ln.counts.endQueue()
	ln.file.release()
	ln.l.Timers().Remove(&ln.timer)
	if ln.share != nil {
		ln.share.remove(ln)
	}
	ln.member.leave(ln)
}

// fdQueue is a queue of accepted descriptors.
type fdQueue struct {
	fds  []int32
	head int
}

func (q *fdQueue) len() int { return len(q.fds) - q.head }

func (q *fdQueue) push(s int32) {
	if q.head > len(q.fds)/2 { // a queue that is never empty must not grow without bound
		q.fds, q.head = q.fds[:copy(q.fds, q.fds[q.head:])], 0
	}
	q.fds = append(q.fds, s)
}

// back puts s, which was popped, back at the front.
func (q *fdQueue) back(s int32) {
	if q.head == 0 { // s was the only one
		q.fds = append(q.fds, s)
		return
	}
	q.head--
	q.fds[q.head] = s
}

func (q *fdQueue) pop() (int32, bool) {
	if q.len() == 0 {
		return 0, false
	}
	s := q.fds[q.head]
	if q.head++; q.head == len(q.fds) {
		q.fds, q.head = q.fds[:0], 0
	}
	return s, true
}
