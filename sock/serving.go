package sock

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"ringo/internal/handle"
	"ringo/internal/rt/code"
	"ringo/internal/stream"
)

// serving is what a connection is to Serve, or to ListenAndServe.
//
//	resting ──news──▶ queued ──▶ in Request ──┬─▶ resting
//	                     ▲                    ├─▶ closing
//	                     └──── more news ─────┘
type serving struct {
	by       *server     // nil: not served by Serve
	conn     func(*Conn) // serves it for life
	last     int64       // NowNS of the last request, or of the accept
	requests uint32      // since somebody asked, see share
	why      ending
	state    stage
	spoken   bool   // there was a request
	inTime   bool   // the loop was late, and the deadline has passed since what Request is to read came
	running  bool   // queued, in Request, or on the way to another loop
	more     bool   // news since Request was called
	leaving  bool   // the last answer is out: what comes is dropped until the peer ends
	told     bool   // of the drain: Handler.Drain was called
	tell     func() // in a Request, of the end of the input; if it is not served, of news that no reader waits for
}

// stage is which of a Handler's functions have been called.
type stage uint8

const (
	fresh   stage = iota
	arrived       // in the place of another Conn; Moved is to be called
	opened
)

// ending is why a connection is to end that Request has not ended.
type ending uint8

const (
	goesOn ending = iota
	isClosed
	isLate
)

func (e ending) err() error { return [...]error{nil, net.ErrClosed, os.ErrDeadlineExceeded}[e] }

// unreadMax is how many bytes may stay unread where nothing else is said.
const unreadMax = 65536

func (s *serving) unreadMax() int {
	if s.by == nil || s.by.h.Unread == 0 {
		return unreadMax
	}
	return s.by.h.Unread
}

// resting reports whether the connection waits for input without a task.
func (s *serving) resting() bool { return s.by != nil && !s.running }

// news is told when there is input, an end or an error.
func (s *serving) news(c *Conn) {
	if s.running {
		if s.more = true; s.tell != nil {
			s.lookForEnd(c)
		}
		return
	}
	if c.in.Any() || c.in.ByHand() || c.in.Over() {
		s.start(c)
	} else {
		c.in.arm(c)
	}
}

// lookForEnd receives in the place of a Request that has asked for the end of the input. Behind what is unread it waits
// for the end alone, where no receive goes on.
func (s *serving) lookForEnd(c *Conn) {
	in := &c.in
	if in.ByHand() && !in.Any() {
		in.fill(c)
	}
	switch {
	case in.Over(), c.core.Closing(), in.Any() && in.HungUp(&c.local.Tools, c.core.FD()):
		s.tellEnd(c)
	case in.Any():
		in.armEnd(c)
	default:
		in.arm(c)
	}
}

// tellEnd tells who has asked that no more input comes.
func (s *serving) tellEnd(c *Conn) {
	if fn := s.tell; fn != nil && s.by != nil {
		s.tell = nil
		fn()
	}
}

// endsBy has fn told of the end of the input, in a Request. Any caller.
func (c *Conn) endsBy(fn func()) {
	if c.l.IsCurrent() {
		c.endsByHere(fn)
	} else {
		c.l.Call(func() { c.endsByHere(fn) })
	}
}

// endsByHere is endsBy on the loop's thread.
func (c *Conn) endsByHere(fn func()) {
	if c.serve.by == nil || !c.serve.running {
		return
	}
	c.serve.tell = fn
	if fn != nil && c.core.Reclaim(handle.In) { // or somebody reads, who hears of the end
		c.serve.lookForEnd(c)
	}
}

// restBy has fn told, on the loop's thread, of news that no reader waits for: bytes, an end or an error. The fn of the
// last call counts, and each call arms the input once more. It reports whether nothing has come yet. For tasks of the
// loop, and connections that no server has.
func (c *Conn) restBy(fn func()) bool {
	if c.core.CheckNow() != nil || !c.core.Reclaim(handle.In) {
		return false
	}
	in := &c.in // now, for a goroutine may have made the connection
	c.serve.tell = fn
	in.Ask()
	if in.ByHand() && !in.Any() {
		in.fill(c)
	}
	if in.Any() || in.Over() {
		return false
	}
	in.arm(c)
	return !in.Over()
}

// leaveServer takes the connection, which is in a Request, off its server. Any caller.
func (c *Conn) leaveServer() error {
	return onOwner(c.l, func() error {
		if c.serve.by == nil || !c.serve.running || c.core.Closing() {
			return c.fail("hijack", net.ErrClosed)
		}
		c.serve.end()
		return nil
	})
}

func (s *serving) start(c *Conn) {
	s.running = true
	if gives := &s.by.gives; gives.HasClass() {
		c.l.StartAs((*requestTask)(c), *gives)
		return
	}
	c.l.Start((*requestTask)(c))
}

// expired is told when the read deadline passes and no task reads.
func (s *serving) expired(c *Conn) {
	if c.core.Closing() || s.by == nil {
		return
	}
	if s.running {
		if s.leaving { // it is at what its peer goes on sending; rest sees to it
			s.why = isClosed
		}
		return
	}
	s.why = isLate
	if s.leaving {
		s.why = isClosed
	}
	s.start(c)
}

// drain closes a connection that rests.
func (s *serving) drain(c *Conn) {
	if s.resting() {
		s.why = isClosed
		s.start(c)
	}
}

// endRest is drain for one that does not end already.
func (s *serving) endRest(c *Conn) {
	if !s.leaving {
		s.drain(c)
	}
}

// drainBegins is told when accepts have stopped, and again when Grace has ended. A connection that rests is closed; one
// that was served a moment ago may rest only between two pieces of what its peer is sending.
func (s *serving) drainBegins(c *Conn) {
	switch silent := c.l.NowNS() - s.last; {
	case s.resting() && s.tells(c):
		s.start(c)
		return
	case s.stays(c):
		return
	case !s.resting() || s.leaving:
	case s.expects(c, silent):
		s.by.expect()
		return
	case s.spoken && silent < int64(leaveMax):
		s.leave(c)
		return
	}
	s.drain(c)
}

// tells reports whether the drain is to be told of, to a connection between two requests.
func (s *serving) tells(c *Conn) bool {
	return s.by.h.Drain != nil && !s.told && s.draining(c) && !s.ends(c) && !c.in.Any()
}

// stays reports whether a connection goes on in a drain, of which it was told.
func (s *serving) stays(c *Conn) bool { return s.told && !s.ends(c) }

// ends reports whether a drain, if there is one, ends all connections now.
func (s *serving) ends(c *Conn) bool { return s.by.ended || c.l.Stopping() }

// expects reports whether a request is on its way, by a peer that has not spoken for that long: the first, or the rest
// of one.
func (s *serving) expects(c *Conn, silent int64) bool {
	return !c.l.Stopping() && (c.in.Any() || !s.spoken && silent < int64(handle.SilentMax))
}

// fdClosed is called when the descriptor is closed.
func (s *serving) fdClosed(c *Conn) {
	if s.by == nil {
		return
	}
	if s.resting() { // abandoned: nobody will run its end
		s.end()
	}
}

// end takes the connection off its server.
func (s *serving) end() {
	by := s.by
	s.by, s.tell = nil, nil
	by.left()
}

// requestTask is a connection as the task of one request.
type requestTask Conn

// Run calls the handler, and decides what becomes of the connection.
func (t *requestTask) Run() {
	c := (*Conn)(t)
	s := &c.serve
	if !s.by.gives.None() { // a task begins without
		c.l.Inherit(s.by.gives)
	}
	done := false
	defer func() {
		if !done { // a panic or a Goexit
			s.close(c, ErrNoReturn)
		}
	}()
	err := s.request(c)
	done = true
	if s.by == nil { // it has left
		return
	}
	if err != nil || c.core.Closing() {
		s.close(c, err)
		return
	}
	s.rest(c)
}

// Code is that of the program's Request.
func (t *requestTask) Code() code.Func { return code.Of(t.serve.by.h.Request) }

// request shows the handler what there is. An error means the connection's end.
func (s *serving) request(c *Conn) error {
	h := s.by.h
	if s.state == arrived { // also if it is to end: Closed is told of this Conn
		s.state = opened
		h.Moved(c)
	}
	if s.why != goesOn || c.core.Closing() {
		if s.why != isClosed || c.core.Closing() || !s.late(c) {
			return s.why.err()
		}
		s.why = goesOn
	}
	if s.leaving {
		return s.drop(c)
	}
	if s.state == fresh {
		s.state = opened
		if h.Open != nil {
			if err := h.Open(c); err != nil || c.core.Closing() {
				return err
			}
		}
	}
	in := &c.in
	in.fillAll(c)
	if !in.Any() && !in.Over() { // nothing to show
		if s.tells(c) {
			s.told = true
			return h.Drain(c)
		}
		return nil
	}
	s.more = false
	eof, bad := in.EOF(), in.Err()
	s.last, s.spoken = c.l.NowNS(), true
	s.requests++
	s.inTime = c.core.Late(handle.In) != nil
	err := h.Request(c)
	if s.inTime = false; s.by == nil { // it has left, and tell may be another's
		return err
	}
	if s.tell = nil; err != nil {
		return err
	}
	switch {
	case c.core.Late(handle.In) != nil:
		return os.ErrDeadlineExceeded
	case eof:
		return io.EOF
	case bad != 0:
		return c.failRes("read", bad)
	case in.Unread() > c.unreadMax() && !s.more: // what came meanwhile it has to be shown first
		return bufio.ErrBufferFull
	case c.l.Canceled():
		return c.l.Cause()
	}
	return nil
}

// rest lets the connection wait without a task, or queues it again if there is
// input that the handler has not seen.
func (s *serving) rest(c *Conn) {
	in := &c.in
	if s.why == goesOn && s.draining(c) && !s.leaving {
		s.look(c)
	}
	if s.unseen(c) || s.why != goesOn || s.tells(c) {
		s.start(c)
		return
	}
	in.peeked = false
	if in.First() != nil {
		in.spill(c) // what is kept, is not kept in the ring
	}
	s.running = false
	in.arm(c)
	if s.leaving {
		return
	}
	c.core.Follow()
	switch {
	case !s.draining(c), s.stays(c):
	case s.expects(c, 0) && !s.by.ended:
		s.by.expect()
	default:
		s.leave(c)
	}
}

// leave ends a connection that was busy when the drain began. To close it at once
// would reset it if the peer is still sending, and destroy the answers that are
// under way. So the peer is told that no more will come, and has a moment to end
// its side.
func (s *serving) leave(c *Conn) {
	c.core.Push()
	if s.by.ended || c.core.Owes() || c.CloseWrite() != nil { // of a slow peer a tail of the connection takes care
		s.drain(c)
		return
	}
	s.leaving = true
	c.core.SetLimit(handle.In, c.l.After(leaveMax))
}

// leaveMax is how long a peer may take to end its side once ours is.
var leaveMax = time.Second // but in tests

// drop throws away what a peer sends that has had its last answer.
func (s *serving) drop(c *Conn) error {
	in := &c.in
	s.more = false
	for in.skip(c, in.Unread()); in.ByHand() && c.l.ChargeAndYield(); in.skip(c, in.Unread()) {
		in.fill(c)
	}
	if in.Over() || c.l.Canceled() {
		return net.ErrClosed
	}
	return nil
}

// unseen reports whether there is something that the handler was not shown.
func (s *serving) unseen(c *Conn) bool {
	return s.more && c.in.Any() || c.in.Over() || c.in.ByHand()
}

// draining reports whether connections are closed as soon as they rest.
func (s *serving) draining(c *Conn) bool { return c.l.Draining() || s.by.ended }

// look asks the kernel whether more has come. To close with bytes unread resets
// the connection, and destroys the answers that are under way to the peer; so
// while the peer goes on sending, it is answered, until Grace ends.
func (s *serving) look(c *Conn) {
	in := &c.in
	if in.How() == stream.Receiving || in.Over() || c.core.Own(handle.In).Lent() {
		return // late looks, or foreign callers do
	}
	before := in.Unread()
	in.Retry()
	in.fill(c)
	s.more = s.more || in.Unread() > before
}

// late looks for what came since the connection was found at rest.
func (s *serving) late(c *Conn) bool {
	if c.in.How() == stream.Receiving {
		c.l.Sleep(0) // a turn, in which the armed receive brings what there is
	} else {
		s.look(c)
	}
	return s.why == isClosed && !c.core.Closing() && !s.leaving && !c.in.Over() && s.unseen(c)
}

// close ends the connection from within its task.
func (s *serving) close(c *Conn, err error) {
	if s.by == nil {
		return
	}
	if err == nil {
		err = net.ErrClosed // the handler closed it
	}
	c.core.BeginClose()
	c.core.AwaitClosed()
	if lost := c.core.TakeError(); lost != nil {
		err = fmt.Errorf("%w (and an answer was not sent: %w)", err, c.fail("write", lost))
	}
	defer s.end() // also if Closed panics: Serve waits for it
	if h := s.by.h; h.Closed != nil {
		h.Closed(c, err)
	}
}
