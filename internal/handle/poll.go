package handle

import (
	"errors"
	"os"
	"time"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/stream"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// poll is the wait of a caller for readiness by a poll of a loop. That is the handle's loop, where Go's netpoller
// can't have the descriptor, or the caller's own, for a handle of no loop.
//
//	begin ──▶ the loop has it ──Complete──▶ the caller wakes
//	             │ a deadline passes or is moved, the handle closes, ...
//	             └─abort: the caller finds out which
//
// A caller that is cancelled, or whose handle closes, does not wait for the poll's end, which a driver that has died
// may never deliver: the poll uses no memory of the caller. But if the loop doesn't know the handle, the descriptor
// may be closed when the last caller has left, so the caller waits until the poll has ended.
type poll struct {
	caller   waiter
	f        *foreign
	l        *loop.Loop // the loop that polls
	code     op.Code    // Poll or Room
	interest uint16
	until    int64 // when the wait ends in Pause; 0 if the caller waits for readiness
	res      int32 // what the caller gets
	err      error
	next     *poll // in f's list

	// Only for the loop's thread.
	op     *op.Op // in flight
	pauses bool   // until the timer fires
	early  bool   // abort has come before begin, since each is mail of its own sender
	dup    fd.FD  // the poll's descriptor, if the handle is of no loop: a driver knows each descriptor once
	timer  timer.Timer
}

// Ready waits, without access to a direction, until the descriptor is ready for something in interest, and returns for
// what. The deadlines of the directions in interest count. Any caller.
func (c *Core) Ready(interest uint16) (res int32, err error) { return c.ready(op.Poll, interest) }

// Room is Ready for a writer. The peer's end does not end the wait.
func (c *Core) Room() (res int32, err error) { return c.ready(op.Room, sys.PollOut) }

func (c *Core) ready(code op.Code, interest uint16) (res int32, err error) {
	f, err := c.callers()
	for err == nil && res == 0 {
		res, err = f.ready(nil, code, interest, 0)
	}
	return res, err
}

// untilReady makes a foreign caller wait by a poll, once, after the first call of a user's function. The function may
// not have tried the descriptor, and Go's netpoller does not report again readiness that was there before.
func (f *foreign) untilReady(h *half) error {
	for {
		if res, err := h.ready(); res != 0 || err != nil {
			return err
		}
	}
}

// ready is foreign.ready for what a caller of the direction waits for.
func (h *half) ready() (int32, error) {
	if h.dir == Out {
		return h.f.ready(h, op.Room, sys.PollOut, 0)
	}
	return h.f.ready(h, op.Poll, stream.Interest, 0)
}

// waitByPoll is wait by polls of a loop.
func (f *foreign) waitByPoll(h *half) (int32, error) {
	if err := f.c.tooLate(h.dir); err != nil {
		return 0, err
	}
	for {
		if res, ok := h.try(); ok {
			return res, nil
		}
		_, err := h.ready()
		if err == os.ErrDeadlineExceeded {
			return f.lastTry(h, true)
		}
		if err != nil {
			return 0, err
		}
	}
}

// Pause makes a foreign caller with access wait for d, for something else than the handle. It fails if the caller must
// leave.
func (a Access) Pause(d time.Duration) error {
	f := a.h.f
	for end := f.c.l.Elapsed() + int64(d); f.c.l.Elapsed() < end; {
		if _, err := f.ready(a.h, op.Poll, sys.PollIn, end); err != nil {
			return err
		}
	}
	return nil
}

// unwatchable reports whether err says that the netpoller can't have the descriptor: the process is out of
// descriptors, the descriptor is of a simulated world, or the system's netpoller takes none.
func unwatchable(err error) bool {
	return err == errStaged || err == errUnknown || errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE)
}

var (
	errStaged  = errors.New("its number is of a simulated world")
	errUnknown = errors.New("its number is none that Go's netpoller knows")
)

// ready waits once, by an op of this code, for a caller that has access to h, or to no direction if h is nil. It
// returns 0 if the caller must check again whether it may go on.
func (f *foreign) ready(h *half, code op.Code, interest uint16, until int64) (int32, error) {
	l, t := loop.Current()
	p := f.pollOf(h, l)
	f.mu.Lock()
	err := f.stops(h, l, interest)
	if err == nil {
		p.caller.About = p
		p.caller.Begin(l, t)
		p.code, p.interest, p.until, p.res, p.err = code, interest, until, 0, nil
		p.next, f.polls = f.polls, p
	}
	f.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case l == p.l:
		p.begin()
	case !p.l.Call(p.begin):
		p.refuse()
	}
	switch which, ok := p.caller.Park(); {
	case !ok && !f.known():
		p.quit(l, t)
		p.res = -sys.ECANCELED
		if h != nil {
			h.poll = nil // late mail may find it
		}
	case !ok:
		p.l.Call(p.abort)
		fallthrough
	case which == over:
		p.res = -sys.ECANCELED
		if h != nil {
			h.poll = nil // the loop has it for a while
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := &f.polls
	for *at != p {
		at = &(*at).next
	}
	*at = p.next
	switch {
	case f.isClosing(), p.res == -sys.ECANCELED:
		return 0, f.stops(h, l, interest)
	case p.err != nil:
		return 0, p.err
	case p.res < 0:
		return 0, CallError("poll", p.res)
	}
	return p.res, nil
}

// pollOf returns the poll of the caller that has h, a task of l if the handle is of no loop. Late mail may find a poll,
// so no other loop uses it.
func (f *foreign) pollOf(h *half, l *loop.Loop) *poll {
	if f.c.l != nil {
		l = f.c.l
	}
	switch {
	case h == nil:
		return &poll{f: f, l: l}
	case h.poll == nil || h.poll.l != l:
		h.poll = &poll{f: f, l: l}
	}
	return h.poll
}

// stops returns why a caller must not wait; l is its loop if it is a task. The caller holds mu.
func (f *foreign) stops(h *half, l *loop.Loop, interest uint16) error {
	switch limit := f.c.limitFor(interest); {
	case f.isClosing():
		return f.closedErr()
	case h != nil && h.interrupted, limit != 0 && f.c.elapsed() >= limit:
		return os.ErrDeadlineExceeded
	case l != nil && l.Canceled():
		return l.Cause()
	}
	return nil
}

// limitFor returns the earliest deadline of the directions in interest; 0 for none. What a poll always reports, the
// peer's end or an error, counts as reading if nothing else is waited for.
func (c *Core) limitFor(interest uint16) int64 {
	in, out := c.limits[In].Load(), c.limits[Out].Load()
	if interest&(sys.PollIn|sys.PollPri) == 0 && interest&sys.PollOut != 0 {
		in = 0
	}
	if interest&sys.PollOut == 0 {
		out = 0
	}
	if in == 0 || out != 0 && out < in {
		return out
	}
	return in
}

// known reports whether a loop knows the handle, and closes it.
func (f *foreign) known() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.c.l != nil && f.registry == nil
}

// quit makes a cancelled task wait for the poll's end, because until then its loop has a duplicate, which keeps the
// file open. The case that another loop polls, for a detached handle, is one of simulated worlds, where only one of
// the two loops runs at a time. Elsewhere a goroutine waits for such a task, and no cancel reaches that.
func (p *poll) quit(l *loop.Loop, t *loop.Task) {
	p.caller.Begin(l, t)
	switch {
	case p.l != l:
		if !p.l.Call(p.abortOrTell) {
			return // the loop has ended, and with it the poll
		}
	case p.op == nil: // it has ended meanwhile
		return
	default:
		p.abort()
	}
	l.Shield()
	p.caller.Park()
	l.Unshield()
}

// abortOrTell is abort for a caller that waits for the poll's end, which may have come already.
func (p *poll) abortOrTell() {
	if p.op == nil && !p.pauses {
		p.tell(-sys.ECANCELED)
		return
	}
	p.abort()
}

// begin submits the poll. It runs on the loop's thread, as all below does.
func (p *poll) begin() {
	c, at := p.f.c, &p.f.c.fd
	if early := p.early; early || p.f.isClosing() { // late mail may run after the loop's end
		p.early = false
		p.tell(-sys.ECANCELED)
		return
	}
	p.timer.Owner = p
	limit := c.limitFor(p.interest)
	if p.pauses = p.until != 0; p.pauses {
		if limit == 0 {
			limit = p.until
		}
		p.l.Timers().Arm(&p.timer, min(limit, p.until))
		return
	}
	if c.l == nil {
		n := p.l.Kernel().Dup(at.Sys())
		if n < 0 {
			p.err = posix.Error(n)
			p.tell(n)
			return
		}
		at = &p.dup
		at.Init(n)
		p.err = p.l.Unwatchable(n)
	}
	var o *op.Op
	if p.err == nil {
		o = p.l.Ops().New(p.code)
	}
	if o == nil {
		p.end(-sys.ENOBUFS)
		return
	}
	if limit != 0 && c.l == nil { // the handle has another clock
		limit = later(p.l.Elapsed(), limit-c.elapsed())
	}
	o.FD, o.Events, o.Sink = at, p.interest, p
	p.l.Ops().Time(o)
	p.op = o
	if limit != 0 {
		p.l.Timers().Arm(&p.timer, limit)
	}
	p.l.Ops().Submit(o)
}

// Complete takes in the poll's end.
func (p *poll) Complete(o *op.Op, res int32, _ uint32) {
	p.op = nil
	p.l.Ops().Free(o)
	p.l.Timers().Remove(&p.timer)
	p.end(res)
}

// end drops the descriptor, and wakes the caller.
func (p *poll) end(res int32) {
	c := p.f.c
	switch {
	case c.l == nil:
		p.l.CloseFD(&p.dup)
	case c.own == nil, c.own.dirs[In].lent != nil:
		c.Forget() // the loop must not know a detached handle, which is closed without it
	}
	p.tell(res)
	if c.l != nil {
		c.Settle() // a closing handle may have waited for the poll only
	}
}

func (p *poll) tell(res int32) {
	if p.caller.Claim(yours) {
		p.res = res
		p.caller.Wake()
	}
}

// refuse is tell for a loop that has ended, called by the caller itself. The close of the handle on that loop's thread
// may have claimed the caller already.
func (p *poll) refuse() {
	if p.caller.Claim(yours) {
		p.err = ErrEnded
		p.caller.Wake()
	}
}

// Fire ends the poll: a deadline may have passed.
func (p *poll) Fire(*timer.Timer) { p.abort() }

func (p *poll) abort() {
	switch {
	case p.pauses:
		p.pauses = false
		p.l.Timers().Remove(&p.timer)
		p.tell(-sys.ECANCELED)
	case p.op == nil:
		p.early = true
	case !p.op.Canceled:
		p.l.Ops().Cancel(p.op)
	}
}

// endPolls makes all callers that wait by polls check whether they may go on. The caller holds mu.
func (f *foreign) endPolls() {
	for p := f.polls; p != nil; p = p.next {
		p.l.Call(p.abort)
	}
}

// claimPolls ends the waits by polls when the handle closes, except where the descriptor must stay open until the
// poll's end. The caller holds mu.
func (f *foreign) claimPolls(told *line) {
	f.endPolls()
	for p := f.polls; p != nil && f.registry == nil && f.c.l != nil; p = p.next {
		if p.caller.Claim(over) {
			told.push(&p.caller)
		}
	}
}
