package sock

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// SyscallConn gives the descriptor to functions of the caller's, for system calls
// that there is no method for; see syscall.RawConn. Any goroutine and any task may use
// it, which parks a task, and not its loop.
//
// Control calls f at once, whatever is under way. Read and Write take their turn in
// their direction, behind the readers or writers that came before. Then nothing of
// the loop's is armed there, so that what f finds is what the kernel has: while f
// reports false they wait for the socket to become ready and call it again, until it
// reports true. f must not wait: its calls have to be non-blocking ones (MSG_DONTWAIT).
// A deadline that has passed ends them with os.ErrDeadlineExceeded, and Close with
// net.ErrClosed; f itself must not close the connection, since Close waits for f.
// What f is given stays this connection's descriptor, which f must neither keep nor
// close. For a task of another loop f may run on another goroutine.
//
// Bytes that were received already are out of f's reach: with some unread, Read fails
// with ErrUnread and calls nothing. As reads do, it ends the validity of bytes from
// Peek.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.l == nil {
		return nil, errZero
	}
	return &rawConn{c.l, c}, nil
}

// rawConn is a handle with guests as a syscall.RawConn.
type rawConn struct {
	l *loop.Loop
	h rawHandle
}

// rawHandle is such a handle. G.
type rawHandle interface {
	// guest gives its guests, made if there are none.
	guest() (*guests, error)
	// failGuest wraps an error as its methods do.
	failGuest(name string, err error) error
}

// Control calls f with the descriptor, which stays open until f returns.
func (r *rawConn) Control(f func(fd uintptr)) error {
	g, err := r.h.guest()
	if err == nil {
		err = g.control(f)
	}
	return r.h.failGuest("raw-control", err)
}

// Read calls f until it reports true, whenever there may be something to read.
func (r *rawConn) Read(f func(fd uintptr) bool) error {
	g, err := r.h.guest()
	if err == nil {
		err = g.transfer(&g.in, f)
	}
	return r.h.failGuest("raw-read", err)
}

// Write calls f until it reports true, whenever there may be room to write.
func (r *rawConn) Write(f func(fd uintptr) bool) error {
	g, err := r.h.guest()
	if err == nil {
		err = g.transfer(&g.out, f)
	}
	return r.h.failGuest("raw-write", err)
}

// control calls f with the descriptor, which it keeps open meanwhile.
func (g *guests) control(f func(fd uintptr)) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return net.ErrClosed
	}
	g.pinned++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.pinned--
		if g.closed {
			g.left()
			return
		}
		g.mu.Unlock()
	}()
	f(uintptr(g.fd.Sys()))
	return nil
}

// transfer calls f in a direction's turn until it reports true.
func (g *guests) transfer(s *side, f func(fd uintptr) bool) error {
	if !g.l.Here() {
		return g.transferAway(s, f)
	}
	return g.transferHome(s, f)
}

// transferAway is transfer for guests.
func (g *guests) transferAway(s *side, f func(fd uintptr) bool) error {
	if err := g.enter(s); err != nil {
		return err
	}
	defer g.leave(s) // also if f panics
	if g.lender().keeps(s) {
		return ErrUnread
	}
	s.raw = f
	_, err := g.do(s)
	return err
}

// transferHome is transfer for a task of the loop. It takes the direction over as the
// guests do, and is one of them for the time, but waits on the loop.
func (g *guests) transferHome(s *side, f func(fd uintptr) bool) error {
	l := g.l
	g.lender().attend()
	if !s.lock.enter(l) {
		return l.Cause()
	}
	defer s.lock.leave(l)
	if !l.Burst() {
		return l.Cause()
	}
	g.lender().settle(s)
	if !g.borrow(s) {
		return net.ErrClosed
	}
	defer g.restore(s)
	if g.lender().keeps(s) {
		return ErrUnread
	}
	for {
		limit := s.limit.Load()
		switch {
		case g.over():
			return net.ErrClosed
		case limit != 0 && l.NowNS() >= limit:
			return os.ErrDeadlineExceeded
		case f(uintptr(g.fd.Sys())):
			return nil
		case l.Canceled():
			return l.Cause()
		}
		if err := g.awaitHome(s); err != nil {
			return err
		}
	}
}

// borrow makes a task of the loop, which has its turn, the guest that is at it.
func (g *guests) borrow(s *side) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.lender().give(s)
	s.lock.away = s
	s.busy = true
	return true
}

// restore gives the direction back to the loop.
func (g *guests) restore(s *side) {
	g.mu.Lock()
	s.busy, s.wanted, s.ahead = false, false, 0
	s.lock.away = nil
	g.lender().take(s)
	if g.closed {
		g.left()
		g.host.vacated() // also if it was its op that kept the descriptor open
		return
	}
	g.unwatch()
	g.mu.Unlock()
}

// homeWait is a task of the loop in awaitHome.
type homeWait struct {
	s  *side
	op *op.Op
	t  timer.Timer
}

// halfClosedPause is how long a task waits for room behind a poll that reports nothing
// but the peer's end, as all polls of a socket do: the next one would at once, too.
const halfClosedPause = time.Millisecond

// awaitHome parks the running task until the descriptor is ready in a direction, or
// something else is to be looked at.
func (g *guests) awaitHome(s *side) error {
	l := g.l
	o := l.NewOp(op.Poll)
	if o == nil {
		return callError("poll", -sys.ENOBUFS)
	}
	defer l.FreeOp(o)
	o.FD, o.Arg = g.fd, interest
	if s == &g.out {
		o.Arg = sys.PollOut
	}
	w := &homeWait{s: s, op: o}
	w.t.Owner = w
	s.home = w
	w.limited()
	res := l.Do(o)
	s.home = nil
	l.RemoveTimer(&w.t)
	switch {
	case res == -sys.ECANCELED: // whoever did that left word of why
		return nil
	case res < 0:
		return callError("poll", res)
	case s == &g.out && res&(sys.PollOut|sys.PollErr|sys.PollHup) == 0:
		l.Sleep(halfClosedPause)
	}
	return nil
}

// limited is told that the direction's deadline may have been set.
func (w *homeWait) limited() {
	if w == nil {
		return
	}
	if limit := w.s.limit.Load(); limit != 0 {
		w.s.g.l.Arm(&w.t, limit)
	} else {
		w.s.g.l.Disarm(&w.t)
	}
}

// Fire ends the wait: the deadline has passed.
func (w *homeWait) Fire(*timer.Timer) { w.abort() }

// abort ends the wait.
func (w *homeWait) abort() {
	if w != nil && !w.op.Canceled {
		w.s.g.l.Cancel(w.op)
	}
}

// SyscallConn gives the listening descriptor to functions of the caller's, see
// syscall.RawConn. As in package net only Control works, which calls its function at
// once: what there is to read on a listener is connections, and those are the loop's
// to accept. f must neither keep nor close the descriptor, nor close the listener. Any
// goroutine may call it.
func (ln *Listener) SyscallConn() (syscall.RawConn, error) {
	if ln.l == nil {
		return nil, errZero
	}
	return (*rawListener)(ln), nil
}

// rawListener is a listener as a syscall.RawConn.
type rawListener Listener

// Control calls f with the descriptor, which stays open until f returns.
func (r *rawListener) Control(f func(fd uintptr)) error {
	ln := (*Listener)(r)
	err := ln.guests.control(f)
	switch {
	case err == nil:
		return nil
	case ln.l.Ended():
		err = errEnded
	}
	return ln.fail("raw-control", err)
}

// Read fails.
func (r *rawListener) Read(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-read", errAcceptOnly)
}

// Write fails.
func (r *rawListener) Write(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-write", errAcceptOnly)
}

var errAcceptOnly = fmt.Errorf("%w: of a listener only Control works", syscall.EINVAL)
