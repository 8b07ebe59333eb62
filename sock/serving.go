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

// serving is the state of a connection that Serve or ListenAndServe serves.
//
//	resting ──news──▶ queued ──▶ in Request ──┬─▶ resting
//	                     ▲                    ├─▶ closing
//	                     └──── more news ─────┘
type serving struct {
	by       *server     // nil: not served by Serve
	conn     func(*Conn) // ListenAndServe's function, which serves it until it is closed
	last     int64       // NowNS of the last request, or of the accept
	requests uint32      // since Rebalance last looked, see share
	why      ending
	state    stage
	spoken   bool   // there was a request
	inTime   bool   // the loop was late: the deadline has passed since the bytes came that Request is to read
	running  bool   // queued, in Request, or on the way to another loop
	more     bool   // news since Request was called
	leaving  bool   // the last answer is sent: what the peer still sends is dropped until it ends
	told     bool   // Handler.Drain was called
	tell     func() // called at the end of input in a Request; if not served, at news that no reader waits for
}

// stage is which of a Handler's functions have been called.
type stage uint8

const (
	fresh   stage = iota
	arrived       // it has replaced another Conn; Moved is to be called
	opened
)

// ending is why a connection must end if Request is not the reason.
type ending uint8

const (
	goesOn ending = iota
	isClosed
	isLate
)

func (e ending) err() error { return [...]error{nil, net.ErrClosed, os.ErrDeadlineExceeded}[e] }

// unreadMax is how many bytes may stay unread by default.
const unreadMax = 65536

func (s *serving) unreadMax() int {
	if s.by == nil || s.by.h.Unread == 0 {
		return unreadMax
	}
	return s.by.h.Unread
}

// resting reports whether the connection waits for input without a task.
func (s *serving) resting() bool { return s.by != nil && !s.running }

// news is called when there is input, an end or an error.
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

// lookForEnd receives in place of a Request that has asked for the end of the input (endsBy). While bytes are unread
// and no receive goes on, it waits for the end alone.
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

// tellEnd calls the function of endsBy, because no more input comes.
func (s *serving) tellEnd(c *Conn) {
	if fn := s.tell; fn != nil && s.by != nil {
		s.tell = nil
		fn()
	}
}

// endsBy sets a function that is called at the end of the input, during a Request; nil removes it. Any caller.
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
	if fn != nil && c.core.Reclaim(handle.In) { // else a reader is at the input, and learns of the end
		c.serve.lookForEnd(c)
	}
}

// restBy sets a function that is called, on the loop's thread, at news that no reader waits for: bytes, an end or an
// error. Only the function of the last call counts, and each call arms the input once more. It returns true if nothing
// has come yet. For tasks of the loop, and connections that Serve does not serve.
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

// leaveServer takes the connection, which is in a Request, from its server. Any caller.
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
	c.l.Start(s.by.gives.ClassTo((*requestTask)(c)))
}

// expired is called when the read deadline passes while no task reads.
func (s *serving) expired(c *Conn) {
	if c.core.Closing() || s.by == nil {
		return
	}
	if s.running {
		if s.leaving { // its task drops what the peer still sends; rest ends it
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

// drain closes the connection if it rests.
func (s *serving) drain(c *Conn) {
	if s.resting() {
		s.why = isClosed
		s.start(c)
	}
}

// endRest is drain, but not for a connection that leaves already.
func (s *serving) endRest(c *Conn) {
	if !s.leaving {
		s.drain(c)
	}
}

// drainBegins is called when accepting has stopped, and again when Grace has ended. It closes a connection that rests;
// one that was served a moment ago is only shut down, because it may rest between two pieces of what its peer is
// sending.
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

// tells reports whether Handler.Drain is to be called, for a connection between two requests.
func (s *serving) tells(c *Conn) bool {
	return s.by.h.Drain != nil && !s.told && s.draining(c) && !s.ends(c) && !c.in.Any()
}

// stays reports whether a connection goes on in a drain, because its Handler.Drain was called.
func (s *serving) stays(c *Conn) bool { return s.told && !s.ends(c) }

// ends reports whether all connections must end now: Serve was cancelled, or Grace is over.
func (s *serving) ends(c *Conn) bool { return s.by.ended || c.l.Stopping() }

// expects reports whether a request is on its way from a peer that has been silent for so long: its first one, or the
// rest of one.
func (s *serving) expects(c *Conn, silent int64) bool {
	return !c.l.Stopping() && (c.in.Any() || !s.spoken && silent < int64(handle.SilentMax(c.l)))
}

// fdClosed is called when the descriptor is closed.
func (s *serving) fdClosed(c *Conn) {
	if s.by == nil {
		return
	}
	if s.resting() { // abandoned: no task will run its end
		s.end()
	}
}

// end takes the connection from its server.
func (s *serving) end() {
	by := s.by
	s.by, s.tell = nil, nil
	by.left()
}

// requestTask is a connection as the task of one request.
type requestTask Conn

// Run calls the Handler, and then closes the connection or lets it rest.
func (t *requestTask) Run() {
	c := (*Conn)(t)
	s := &c.serve
	if !s.by.gives.None() { // a task inherits nothing by itself
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
	if s.by == nil { // it has left Serve
		return
	}
	if err != nil || c.core.Closing() {
		s.close(c, err)
		return
	}
	s.rest(c)
}

// Code shows the task under the name of the program's Request.
func (t *requestTask) Code() code.Func { return code.Of(t.serve.by.h.Request) }

// request calls the Handler for what there is. An error means that the connection ends.
func (s *serving) request(c *Conn) error {
	h := s.by.h
	if s.state == arrived { // even if it ends now: Closed is called with this Conn
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
	if s.inTime = false; s.by == nil { // it has left Serve, and tell may be another's
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
		return c.readFailed(bad)
	case in.Unread() > c.unreadMax() && !s.more: // if more, Request was not shown what came meanwhile
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
		in.spill(c) // unread bytes must not keep buffers of the ring
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

// leave ends a connection that was busy when the drain began. Closing it at once would reset it if the peer is still
// sending, and destroy the answers that are under way. So leave shuts down our side, and gives the peer a moment to end
// its own.
func (s *serving) leave(c *Conn) {
	c.core.Push()
	if s.by.ended || c.core.Owes() || c.CloseWrite() != nil { // the tail of a closed connection serves a slow peer
		s.drain(c)
		return
	}
	s.leaving = true
	c.core.SetLimit(handle.In, c.l.After(leaveMax))
}

// leaveMax is how long a peer may take to end its side once ours is.
var leaveMax = time.Second // a variable for tests

// drop throws away what a peer sends after its last answer.
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

// unseen reports whether there is something that the Handler was not shown.
func (s *serving) unseen(c *Conn) bool {
	return s.more && c.in.Any() || c.in.Over() || c.in.ByHand()
}

// draining reports whether connections are closed as soon as they rest.
func (s *serving) draining(c *Conn) bool { return c.l.Draining() || s.by.ended }

// look asks the kernel whether more has come. Closing with bytes unread would reset the connection, and destroy the
// answers that are under way to the peer; so while the peer goes on sending, it is answered, until Grace ends.
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

// late reports whether bytes have come since the connection was found at rest, so that it is served once more.
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
	defer s.end() // even if Closed panics: Serve waits for it
	if h := s.by.h; h.Closed != nil {
		h.Closed(c, err)
	}
}
