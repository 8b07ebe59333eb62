package sock

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Listener is a listening socket of one loop: a net.Listener. Any goroutine may use
// it; connections belong to its loop all the same.
type Listener struct {
	l     *loop.Loop
	core  handle.Core // the foreign callers have both directions, until the loop revokes that
	own   handle.Own
	addr  netip.AddrPort
	unix  *net.UnixAddr // nil: a TCP listener
	file  *socketFile   // of a Unix listener
	leave func()        // tells the Run that the loop no longer listens there

	share    *sharedSocket // if the socket is not this loop's alone
	handedOn []int32       // by the others; under the sharing's lock
	looks    bool          // the accept was cancelled only to begin anew

	queue   fdQueue
	err     int32
	waiting loop.TaskList // in Accept
	ready   acceptQueue   // for those who are no tasks of the loop

	pause     backoff
	pauseLent backoff // of goroutines that accept; his whose turn it is
	timer     timer.Timer
}

// queueMax bounds the connections that are accepted and not asked for; the rest
// wait in the kernel's backlog.
const queueMax = 256

// The first and the longest pause after the process ran out of something.
const (
	backoffMin = backoff(5 * time.Millisecond)
	backoffMax = backoff(100 * time.Millisecond)
)

// backoff is how long the last pause was.
type backoff time.Duration

// next is how long the next one is.
func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoffMin), backoffMax)
	return time.Duration(*b)
}

// newListener makes a listener of a listening socket, which it closes if it can't.
// file, of which the listener is a user, is nil for all but Unix sockets, and for
// those that are not of our making.
func newListener(l *loop.Loop, network string, s int32, file *socketFile, leave func()) (*Listener, error) {
	ln := &Listener{l: l, file: file, leave: sync.OnceFunc(leave)}
	ln.core.Accepts()
	ln.core.Init(l, &listenerOwner{ln: ln}, s, &ln.own)
	ln.core.LendAll()
	ln.timer.Owner = (*listenerAlarm)(ln)
	if unixNetwork(network) {
		ln.becomeUnix(network)
	} else {
		ln.addr = nameOf(l, ln.core.FD(), kernel.Kernel.Getsockname)
	}
	if err := l.Unwatchable(s); err != nil {
		ln.core.BeginClose()
		return nil, listenError(network, ln.Addr(), os.NewSyscallError("socket", err))
	}
	if l.Draining() {
		ln.core.BeginClose()
	}
	return ln, nil
}

// Addr is the address that the listener has, a *net.TCPAddr or a *net.UnixAddr. Any
// goroutine may call it.
func (ln *Listener) Addr() net.Addr {
	if ln.unix != nil {
		return ln.unix
	}
	return tcpAddr(ln.addr)
}

// Accept parks until there is a connection. Shortages (EMFILE, ENFILE, ENOBUFS,
// ENOMEM) and connections that were gone before they were accepted it waits out
// by itself. net.ErrClosed after Close, and when Run's context has ended. Any
// goroutine may call it; one that is no task of the loop waits without keeping the
// loop alive. As long as no task has called it, goroutines don't need the loop for it.
func (ln *Listener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept with the type.
func (ln *Listener) AcceptConn() (*Conn, error) {
	if !ln.l.IsCurrent() {
		return ln.acceptForeign(loop.Current())
	}
	ln.l.ChargeAndYield() // also for who goes on asking a listener that is closed
	ln.core.Revoke(handle.In)
	if ln.ready.open {
		ln.ready.yield()
	}
	for {
		if ln.core.Closing() {
			return nil, ln.fail("accept", net.ErrClosed)
		}
		if c := ln.ready.pop(); c != nil {
			c.core.Attach()
			return c, nil
		}
		if s, ok := ln.queue.pop(); ok {
			return ln.accepted(s), nil
		}
		if err := ln.refused(); err != nil {
			return nil, err
		}
		if ln.l.Canceled() {
			return nil, ln.fail("accept", ln.l.Cause())
		}
		ln.arm()
		ln.waiting.Push(ln.l.Task())
		ln.l.Park((*listenerWait)(ln))
	}
}

// refused gives the error of an accept to the first who asks.
func (ln *Listener) refused() error {
	if ln.err == 0 {
		return nil
	}
	err := ln.err
	ln.err = 0
	return ln.fail("accept", callError("accept4", err))
}

// accepted makes a connection of an accepted descriptor.
func (ln *Listener) accepted(s int32) *Conn {
	c := newConn(ln.l, s)
	ln.name(c, &loopStateOf(ln.l).name)
	return c
}

// name gives a connection that was accepted its addresses, by memory of the caller's. G.
func (ln *Listener) name(c *Conn, sa *sys.Sockaddr) {
	if ln.unix != nil {
		c.becomeUnix(*ln.unix, unixNameBy(ln.l, sa, c.core.FD(), kernel.Kernel.Getpeername, ln.unix.Net))
		return
	}
	c.raddr = nameBy(ln.l, sa, c.core.FD(), kernel.Kernel.Getpeername)
	c.laddr = ln.addr
	if ln.addr.Addr().IsUnspecified() {
		c.laddr = nameBy(ln.l, sa, c.core.FD(), kernel.Kernel.Getsockname)
	}
}

func (ln *Listener) fail(name string, err error) error {
	if ln.l == nil {
		return errZero
	}
	network := "tcp"
	if ln.unix != nil {
		network = ln.unix.Net
	}
	return &net.OpError{Op: name, Net: network, Addr: ln.Addr(), Err: err}
}

// arm starts the accept, unless a pause is on.
func (ln *Listener) arm() {
	d := ln.core.Own(handle.In)
	if d.Op != nil || ln.core.Closing() || ln.timer.Armed() {
		return
	}
	o := ln.l.NewOp(op.Accept)
	if o == nil {
		ln.err = -sys.ENOBUFS
		return
	}
	// Keep: at the queue's bound the accept is cancelled, and peers that it takes
	// until then are served like the others.
	o.FD, o.Flags, o.Sink = ln.core.FD(), op.Keep, (*listenerSink)(ln)
	if ln.share == nil {
		o.Flags |= op.Multishot
	}
	d.Op = o
	ln.l.Submit(o)
	ln.stand()
}

// listenerSink is the listener as the sink of its accept.
type listenerSink Listener

// Complete takes what the accept brought.
func (s *listenerSink) Complete(o *op.Op, res int32, flags uint32) {
	ln := (*Listener)(s)
	last := flags&op.More == 0
	if last {
		ln.core.Own(handle.In).Op = nil
		ln.l.FreeOp(o)
		ln.stand()
	}
	if res >= 0 {
		ln.arrived(res)
	}
	if ln.core.Closing() {
		ln.core.Settle()
	} else if last {
		ln.ended(res)
	}
	if last && ln.share != nil {
		ln.gaveUp(res)
	}
}

// arrived takes in one connection.
func (ln *Listener) arrived(s int32) {
	if ln.core.Closing() {
		ln.drop(s)
		return
	}
	ln.pause = 0
	ln.queue.push(s)
	task := ln.wakeTask()
	ln.fillReady()
	if !task { // after fillReady: who asked before there was something there is served here
		ln.serveCallers()
	}
	if ln.queue.len()+ln.ready.len() >= queueMax {
		ln.cancelAccept()
	}
}

// cancelAccept ends the accept that is under way.
func (ln *Listener) cancelAccept() {
	if o := ln.core.Own(handle.In).Op; o != nil && !o.Canceled {
		ln.l.Cancel(o)
	}
}

// discard closes a descriptor that nobody takes.
func discard(l *loop.Loop, s int32) {
	l.Kernel().Close(s)
}

// ended decides how to go on after the accept's last completion.
func (ln *Listener) ended(res int32) {
	switch {
	case shortage(res):
		ln.l.Backoff(res)
		ln.l.Arm(&ln.timer, ln.l.After(ln.pause.next()))
	case res >= 0, res == -sys.ECONNABORTED, res == -sys.ECANCELED:
		ln.rearm()
	default:
		ln.err = res
		ln.failed()
	}
}

// shortage reports whether an accept failed for want of something that may come back.
func shortage(res int32) bool {
	switch -res {
	case sys.EMFILE, sys.ENFILE, sys.ENOBUFS, sys.ENOMEM:
		return true
	}
	return false
}

// failed tells those who wait of an error, if there is one: one gets it, the other tasks try
// again, and the loop tries for the other foreign callers.
func (ln *Listener) failed() {
	if ln.err == 0 {
		return
	}
	for ln.wakeTask() {
	}
	for ln.err != 0 && ln.ready.asked() {
		ln.serveCallers()
		if ln.ready.asked() {
			ln.arm()
		}
	}
}

// rearm goes on if somebody waits; otherwise the next Accept does.
func (ln *Listener) rearm() {
	if ln.asked() {
		ln.arm()
		ln.failed() // if arm has
	}
}

// listenerAlarm is the listener as the owner of its timer.
type listenerAlarm Listener

// Fire ends a pause.
func (a *listenerAlarm) Fire(*timer.Timer) { (*Listener)(a).rearm() }

// wakeTask wakes a task in Accept; false if there is none.
func (ln *Listener) wakeTask() bool {
	t := ln.waiting.Pop()
	if t != nil {
		ln.l.Ready(t)
	}
	return t != nil
}

// listenerWait is the listener as what tasks in Accept wait for.
type listenerWait Listener

// CancelWait lets a cancelled task out of Accept.
func (w *listenerWait) CancelWait(t *loop.Task) {
	w.waiting.Remove(t)
	w.l.Ready(t)
	(*Listener)(w).unasked()
}

// Close stops listening. It parks until the socket is gone; tasks in Accept get
// net.ErrClosed. Connections that were accepted go on, those that nobody asked for
// are closed. Closing again does nothing. Any goroutine may call it.
func (ln *Listener) Close() error { return ln.core.Close() }

// listenerOwner is the listener as the owner of its core. Its input is never handed over: it begins as the
// foreign callers', and the loop revokes that.
type listenerOwner struct {
	handle.NoOwner
	ln *Listener
}

// Closing tells those in Accept, and closes what nobody has asked for.
func (o *listenerOwner) Closing() {
	ln := o.ln
	ln.stand()
	ln.file.release()
	ln.l.RemoveTimer(&ln.timer)
	for ln.wakeTask() {
	}
	ln.serveCallers()
	if ln.share != nil {
		ln.share.leave(ln)
	}
	for s, ok := ln.queue.pop(); ok; s, ok = ln.queue.pop() {
		ln.drop(s)
	}
	ln.ready.clear()
}

// Closed tells the Run that nobody listens there any more.
func (o *listenerOwner) Closed() { o.ln.leave() }

// Drain is the loop's word that accepts have stopped.
func (o *listenerOwner) Drain() { o.ln.core.BeginClose() }

// Abandoned waits for those who leave Accept just then: when Run has returned the address is free.
func (o *listenerOwner) Abandoned() { o.ln.core.AwaitForeign() }

// fdQueue is accepted descriptors in order.
type fdQueue struct {
	fds  []int32
	head int
}

func (q *fdQueue) len() int { return len(q.fds) - q.head }

func (q *fdQueue) push(s int32) {
	if q.head > len(q.fds)/2 { // a queue that is never empty must not grow for ever
		q.fds, q.head = q.fds[:copy(q.fds, q.fds[q.head:])], 0
	}
	q.fds = append(q.fds, s)
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
