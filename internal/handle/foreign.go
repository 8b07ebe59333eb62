package handle

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// foreign is what a handle keeps for callers that are not tasks of its loop: goroutines, and tasks of other loops. The
// first of them to call makes it.
//
// Each direction belongs either to the loop or to the foreign callers:
//
//	the loop's ──one of its tasks queues for them, quiesces and releases it──▶ the foreign callers'
//	     ▲                                                                         │
//	     └──a task comes and acquires it: at once, or behind those before it───────┘
//
// So the loop's tasks pay nothing as long as no foreign caller comes, and a foreign caller that has the direction
// needs no help: it makes the plain call, and if that would wait it parks in Go's netpoller, by a duplicate of the
// descriptor that exists only while a caller needs it. No caller waits with mu held.
type foreign struct {
	c *Core

	mu      sync.Mutex
	halves  [2]half
	file    *os.File        // the duplicate; nil while no caller needs it
	raw     syscall.RawConn // of file
	closing atomic.Bool     // foreign callers know that the handle closes; set under mu
	orphan  bool            // the loop is done with the descriptor: the last foreign caller settles it, or closes it
	taken   bool            // some caller closes the descriptor: a foreign one, or the loop if none was left
	closed  bool            // the descriptor is closed
	pinned  int32           // calls that use the descriptor's number outside of the two directions
	closers line            // callers in Close
	polls   *poll           // callers that wait by a poll of a loop

	home       *loop.Loop // the loop in whose simulated world an unowned handle is; nil for none
	registry   *Registry  // the registry of a detached handle; nil if it is attached
	next, prev *foreign   // in the registry's list
}

// half is one direction as the foreign callers use it.
type half struct {
	f   *foreign
	dir Dir

	held    bool // the foreign callers have it; if not, the loop has
	onWay   bool // on its way back to the loop, in mail
	busy    bool // a foreign caller uses it
	copies  bool // that caller has bytes in hand, see Access.BeginCopy
	asked   bool // the loop has been asked for it
	wanted  bool // the loop wants it back
	keepsOp bool // op stays when a caller leaves

	// Of the caller that uses it.
	watched     bool  // file exists, and stays until the caller leaves
	tried       bool  // the caller has begun to wait in time
	mayBlock    bool  // the caller is an ordinary goroutine, so it may block
	interrupted bool  // the caller must leave: its task was cancelled, or see drained
	drained     bool  // interrupted is set because the program drains
	leeway      uint8 // receives that it may make behind its deadline, see Access.Leeway

	err   error // of a send of the loop, for the next caller that sends
	ahead int32 // how many in the queue came before the loop wanted the direction back
	res   int32
	queue line

	op         *op.Op                // nil if no caller has asked for it
	buf        []byte                // memory to receive into or send from without an op
	bare       driver.Plain          // if not nil, the calls by which the caller does so
	raw        func(fd uintptr) bool // if not nil, called in place of either
	call       func(uintptr) bool    // attempt, for the netpoller; made for the first wait
	callerLoop *loop.Loop            // the loop whose task the caller is; nil if it is none
	poll       *poll                 // made for the first wait by a poll

	// in is what was known of the input at the handover, and what foreign callers have learned since.
	in stream.In
}

func (c *Core) newForeign() *foreign {
	f := &foreign{c: c}
	for dir := range f.halves {
		h := &f.halves[dir]
		h.f, h.dir = f, Dir(dir)
		if c.messages {
			h.op, h.keepsOp = &op.Op{Ext: new(op.Ext)}, true
		}
	}
	return f
}

// nobody is the foreign part of a handle that was closed before any foreign caller came.
var nobody = func() *foreign {
	f := &foreign{closed: true}
	f.closing.Store(true)
	return f
}()

// callers returns the foreign part. It makes one if there is none.
func (c *Core) callers() (*foreign, error) {
	f := c.foreign.Load()
	if f == nil {
		switch {
		case c.l == nil:
			return nil, ErrZero
		case c.l.Ended():
			return nil, ErrEnded
		}
		if err := c.outsider(); err != nil {
			return nil, err
		}
		c.foreign.CompareAndSwap(nil, c.newForeign())
		f = c.foreign.Load()
	}
	if f == nobody {
		return nil, f.closedErrOf(c.l)
	}
	return f, c.outsider() // checked here, too: tasks of the loop may have made the part
}

// outsider returns why the caller may not use a handle of a simulated world; nil if it may, or if the loop has ended,
// which is an error of its own.
func (c *Core) outsider() error {
	if c.l.Ended() {
		return nil
	}
	return c.l.World().Outsider(c.l, "a call on what is open in a simulated world")
}

// CheckForeign begins a foreign caller's call that needs no access, or not yet.
func (c *Core) CheckForeign() error {
	_, err := c.callers()
	return err
}

// closedErr returns the error of calls on a handle that closes or is closed.
func (f *foreign) closedErr() error { return f.closedErrOf(f.c.l) }

func (f *foreign) closedErrOf(l *loop.Loop) error {
	if l.Ended() {
		return ErrEnded
	}
	return net.ErrClosed
}

// ops holds the ops of foreign callers, each of them used by one access at a time.
var ops = sync.Pool{New: func() any { return new(op.Op) }}

// prepare gives the access an op, if it has none.
func (h *half) prepare() {
	if h.keepsOp {
		h.op.FD = &h.f.c.fd
		return
	}
	if h.op != nil {
		return
	}
	h.op = ops.Get().(*op.Op)
	h.op.FD, h.op.Code = &h.f.c.fd, plain[h.dir&1]
}

// enter waits until a foreign caller has access.
func (f *foreign) enter(h *half) error {
	f.mu.Lock()
	if h.free() {
		h.begin()
		f.mu.Unlock()
		return nil
	}
	over := f.isClosing()
	f.mu.Unlock()
	if over {
		return f.closedErr()
	}
	return f.queueFor(h)
}

// free reports whether a foreign caller may have the direction now.
func (h *half) free() bool { return h.held && !h.busy && !h.wanted && !h.f.isClosing() }

func (h *half) begin() {
	h.busy = true
	h.watched = h.f.file != nil
	h.mayBlock, h.callerLoop, h.leeway = false, nil, 0
}

// queueFor waits in the queue, and asks the loop for the direction if no caller has.
func (f *foreign) queueFor(h *half) error {
	l, t := loop.Current()
	if l != nil && l.Canceled() {
		return l.Cause() // its cancel has happened, and would not end the wait
	}
	f.mu.Lock()
	switch {
	case f.isClosing():
		f.mu.Unlock()
		return f.closedErr()
	case h.free():
		h.begin()
		f.mu.Unlock()
		return nil
	}
	p := new(waiter)
	p.About = (*queuedForeign)(h)
	p.Begin(l, t)
	h.queue.push(p)
	ask := !h.held && !h.asked && !h.onWay // or who is told that it has come back asks
	h.asked = h.asked || !h.held
	f.mu.Unlock()
	if ask && !f.c.l.StartOpen((*handover)(h)) {
		f.beginClose() // the loop has ended, and can't release the direction
	}
	which, ok := p.Park()
	if !ok {
		f.giveUp(h, p)
	}
	switch {
	case !ok:
		return l.Cause()
	case which == over:
		return f.closedErr()
	case which == late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// giveUp takes a cancelled task out of the queue.
func (f *foreign) giveUp(h *half, p *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := h.queue.remove(p); ok && i < int(h.ahead) {
		h.ahead--
	}
}

// passOn gives access to the first caller in the queue; nil if there is none. The code that calls it must wake the
// result after it has unlocked mu.
func (h *half) passOn() *waiter {
	for h.queue.first != nil {
		if h.wanted && h.ahead == 0 {
			return nil
		}
		p := h.queue.pop()
		if h.ahead > 0 {
			h.ahead--
		}
		if p.Claim(yours) {
			h.begin()
			return p
		}
	}
	return nil
}

// uninterrupt lets the caller of a direction wait again, or the next one. The caller holds mu.
func (h *half) uninterrupt() {
	if h.interrupted {
		h.interrupted, h.drained = false, false
		h.f.setDeadline(h)
	}
}

// leave ends a foreign caller's access.
func (f *foreign) leave(h *half) {
	h.raw = nil
	switch {
	case h.op == nil:
	case h.keepsOp:
		h.op.Buf = nil
	default:
		if x := h.op.Ext; x != nil {
			x.Clear()
			exts.Put(x)
		}
		*h.op = op.Op{}
		ops.Put(h.op)
		h.op = nil
	}
	f.mu.Lock()
	h.uninterrupt()
	h.busy = false
	if f.isClosing() {
		if h.wanted { // tasks of the loop must learn of the end
			h.sendBack()
		}
		f.settle()
		return
	}
	p := h.passOn()
	back := p == nil && h.wanted
	if back {
		h.sendBack()
		h.asked = h.queue.first != nil
	}
	f.unwatch()
	f.mu.Unlock()
	if p != nil {
		p.Wake()
	}
}

// settle goes on with the close when a foreign caller has left. The caller holds mu, and no longer does then.
func (f *foreign) settle() {
	idle := !f.usesFD()
	if idle {
		f.closeFile()
	}
	last, registry := idle && f.pinned == 0 && f.orphan && !f.taken, f.registry
	f.taken = f.taken || last && registry != nil
	f.mu.Unlock()
	if last && (registry != nil || !f.c.l.Call(f.c.Settle) && f.take()) {
		f.closeFD(registry)
	}
}

// take makes the caller the one that closes the descriptor of an orphan whose loop takes no mail; false if the loop
// closes it, as it ends.
func (f *foreign) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.taken
	f.taken = true
	return !was
}

// closeFD closes the descriptor on the thread of the last foreign caller, when no loop does: of a handle in the
// registry, which a task of the loop may be attaching at this moment, or of one whose loop has ended.
func (f *foreign) closeFD(registry *Registry) {
	c := f.c
	c.l.Kernel().Close(c.fd.Take())
	if registry == nil { // a detached handle has accepted nothing
		c.leaveForeignError()
	}
	c.countClosed()
	f.finish()
	if registry != nil {
		registry.remove(f)
		return
	}
	c.hooks.Tell(Closed)
}

// beginClose tells foreign callers that the handle closes: those that wait for access are woken, and the deadline of
// those in Go's netpoller is set to the past. It can't close the duplicate while they use it, because that would wait
// for them.
func (f *foreign) beginClose() { f.beginCloseIf(func() bool { return true }) }

// beginCloseIf is beginClose unless may reports false, with mu held. It returns what may has reported.
func (f *foreign) beginCloseIf(may func() bool) bool {
	if f == nobody {
		return true
	}
	f.mu.Lock()
	var told line
	ok := may()
	if ok && !f.isClosing() {
		told = f.beginCloseLocked()
	}
	f.mu.Unlock()
	told.wake()
	return ok
}

// beginCloseLocked is beginClose for callers that hold mu. They must wake the result.
func (f *foreign) beginCloseLocked() (told line) {
	f.closing.Store(true)
	told = claimAll(over, &f.halves[In].queue, &f.halves[Out].queue)
	if !f.usesFD() {
		f.closeFile()
	} else if f.file != nil {
		f.file.SetDeadline(longAgo)
	}
	f.claimPolls(&told)
	return told
}

// orphanIfUsed leaves a descriptor that the loop no longer uses to the foreign callers that still do, or are about to
// close it. It reports false if there are none; the loop then closes it.
func (f *foreign) orphanIfUsed() bool {
	if f == nil || f == nobody {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken {
		return true
	}
	f.orphan = f.usesFD() || f.pinned > 0
	f.taken = !f.orphan
	return f.orphan
}

// leaving reports whether the handle is an orphan and all its foreign callers are about to leave, with none in
// Control.
func (f *foreign) leaving() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orphan && !f.closed && f.pinned == 0
}

// inUse reports whether foreign callers use the handle. In a world each of them may wait by a poll, which keeps the
// descriptor until the loop's driver closes, so the handle becomes an orphan only then.
func (f *foreign) inUse() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usesFD() || f.orphan && !f.closed && f.pinned == 0
}

// usesFD reports whether a foreign caller uses a direction, and does not wait for the sink of a copy. The caller holds
// mu.
func (f *foreign) usesFD() bool {
	return f.halves[In].busy && !f.halves[In].copies || f.halves[Out].busy
}

// finish makes foreign callers in Close return: the descriptor is closed.
func (f *foreign) finish() {
	if f == nil || f == nobody {
		return
	}
	f.mu.Lock()
	f.closed = true
	told := claimAll(over, &f.closers)
	f.mu.Unlock()
	told.wake()
}

// awaitClosed waits until the descriptor is closed. A task waits even if it was cancelled.
func (f *foreign) awaitClosed() {
	l, t := loop.Current()
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	f.awaitClosedAs(l, t)
}

// awaitClosedAs is awaitClosed for a caller in task t of l, or with nil in no task.
func (f *foreign) awaitClosedAs(l *loop.Loop, t *loop.Task) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	w := new(waiter)
	w.About = (*foreignClose)(f)
	w.Begin(l, t)
	f.closers.push(w)
	f.mu.Unlock()
	w.Park()
}

// Control calls f with the descriptor's number, and keeps the descriptor open meanwhile. Accepted bytes are sent
// first. Any caller.
func (c *Core) Control(f func(fd uintptr)) error {
	if err := c.sentBefore(); err != nil {
		return err
	}
	g, err := c.callers()
	if err == nil {
		err = g.control(f)
	}
	return err
}

// sentBefore is SentFirst for any caller.
func (c *Core) sentBefore() (err error) {
	switch {
	case c.l.IsCurrent():
		c.attach()
		return c.SentFirst()
	case c.l == nil, !c.OwnerOwes():
		return nil
	}
	c.l.Go(func() { err = c.SentFirst() }).WaitAsClient() // a loop that has ended owes nothing
	if l, _ := loop.Current(); l != nil && errors.Is(err, context.Canceled) {
		err = l.Cause()
	}
	return err
}

func (f *foreign) control(fn func(fd uintptr)) error {
	f.mu.Lock()
	if f.isClosing() {
		f.mu.Unlock()
		return f.closedErr()
	}
	f.pinned++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.pinned--
		if f.isClosing() {
			f.settle()
			return
		}
		f.mu.Unlock()
	}()
	fn(uintptr(f.c.fd.Sys()))
	return nil
}

// Unread returns how many unread bytes foreign callers have, 0 if one of them is reading. theirs is false if the input
// belongs to the loop. Any caller.
func (c *Core) Unread() (n int, theirs bool) {
	f := c.foreign.Load()
	if f == nil || f == nobody {
		return 0, f == nobody
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &f.halves[In]
	if h.busy || h.onWay || f.isClosing() {
		return 0, true
	}
	return h.in.Unread(), h.held
}
