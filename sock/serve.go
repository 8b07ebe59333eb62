package sock

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// ListenAndServe runs loops that accept connections on one address, and calls
// serve for each in a task of its own. The connection is closed when serve
// returns. It gives nil after an orderly end, as ringo.Run does. With port 0 all
// loops share one port; see Reserve to learn which. Any goroutine may call it; it
// waits.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, network, address string, serve func(c *Conn)) error {
	set, err := Reserve(network, address)
	if err != nil {
		return err
	}
	defer set.Close()
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			c.serve.conn = serve
			c.l.Start((*connTask)(c))
		}
	})
}

// connTask is a connection as the task that serves it for life.
type connTask Conn

// Run serves the connection.
func (t *connTask) Run() {
	c := (*Conn)(t)
	defer c.Close()
	c.serve.conn(c)
}

// Handler is what Serve does with connections. All loops may share one.
type Handler struct {
	// Open, if not nil, is called once, before any Request: to greet, to set a
	// value or a deadline. An error closes the connection.
	Open func(c *Conn) error
	// Request is called when there is input that it has not been shown: bytes, the
	// end of the stream, an error or a deadline. Never two at once for one
	// connection. It runs as a task and may park. What it leaves unread is kept,
	// and it is called again when more has come, also while it ran; now and then
	// it may be called for nothing new. An error closes the connection, and so
	// does returning after the end of the stream, an error or a passed read
	// deadline. A read deadline goes on counting between requests.
	Request func(c *Conn) error
	// Closed, if not nil, is called once for each connection whose Open was or
	// would have been called, last, when everything on it has ended. err says
	// why: io.EOF, what Open or Request gave, os.ErrDeadlineExceeded, or
	// net.ErrClosed when the program drains.
	Closed func(c *Conn, err error)
	// Unread is how many bytes may stay unread; the default is 65536. A Request
	// that leaves more closes the connection, with bufio.ErrBufferFull.
	Unread int
}

// server is one call of Serve.
type server struct {
	l      *loop.Loop
	h      *Handler
	open   int  // connections
	ended  bool // the task of Serve was cancelled: all are to be closed
	waiter *loop.Task
}

// Serve accepts connections and has h handle their requests, until the accepts
// stop and the last connection is closed; then it gives nil. A connection between
// requests keeps no stack. When the program drains, idle connections are closed at
// once; busy ones are ended when Request returns, and closed when the peer has ended
// its side too, a second later at most. Only a task of l may call it; it parks.
func Serve(l *ringo.Loop, ln *Listener, h *Handler) error {
	e := (*loop.Loop)(l)
	if !e.Here() {
		return ln.fail(ringo.ErrNotTask)
	}
	if h == nil || h.Request == nil {
		return errors.New("sock: Serve without Handler.Request")
	}
	if h.Unread < 0 {
		return errors.New("sock: Handler.Unread is negative")
	}
	if ln.l != e {
		return ln.fail(ringo.ErrNotTask)
	}
	s := &server{l: e, h: h}
	for {
		c, err := ln.AcceptConn()
		if err == nil {
			s.add(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			s.wait()
			return nil
		}
		s.closeAll()
		s.wait()
		return err
	}
}

// add begins to serve a connection.
func (s *server) add(c *Conn) {
	s.open++
	c.serve.by = s
	if s.h.Open != nil || c.in.ready {
		c.serve.start(c)
		return
	}
	c.serve.opened = true
	c.in.arm(c)
}

// closeAll closes the connections that rest, and has the others closed when their
// Request returns.
func (s *server) closeAll() {
	s.ended = true
	s.l.EachHandle(func(o loop.Open) {
		if c, ok := o.(*Conn); ok && c.serve.by == s {
			c.serve.drain(c)
		}
	})
}

// wait parks until the last connection is closed.
func (s *server) wait() {
	for s.open > 0 {
		s.waiter = s.l.Task()
		s.l.Park(nil)
		s.waiter = nil
	}
}

// serving is what a connection is to Serve, or to ListenAndServe.
//
//	resting ──news──▶ queued ──▶ in Request ──┬─▶ resting
//	                     ▲                    ├─▶ closing
//	                     └──── more news ─────┘
type serving struct {
	by      *server // nil: not served by Serve
	conn    func(*Conn)
	why     error
	opened  bool
	running bool // queued or in Request
	more    bool // news since Request was called
	leaving bool // the last answer is out: what comes is dropped until the peer ends
}

func (s *serving) unreadMax() int {
	if s.by == nil || s.by.h.Unread == 0 {
		return peekMax
	}
	return s.by.h.Unread
}

// resting reports whether the connection waits for input without a task.
func (s *serving) resting() bool { return s.by != nil && !s.running }

// news is told when there is input, an end or an error.
func (s *serving) news(c *Conn) {
	if s.running {
		s.more = true
		return
	}
	if c.in.buffered() > 0 || c.in.byHand() || c.in.over() {
		s.start(c)
	} else {
		c.in.arm(c)
	}
}

func (s *serving) start(c *Conn) {
	s.running = true
	c.l.Start((*requestTask)(c))
}

// expired is told when the read deadline passes and no task reads.
func (s *serving) expired(c *Conn) {
	if !s.resting() || c.closing {
		return
	}
	s.why = os.ErrDeadlineExceeded
	if s.leaving {
		s.why = net.ErrClosed
	}
	s.start(c)
}

// drain closes a connection that rests.
func (s *serving) drain(c *Conn) {
	if s.resting() {
		s.why = net.ErrClosed
		s.start(c)
	}
}

// concluded is told when the descriptor is gone.
func (s *serving) concluded(c *Conn) {
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
	s.by = nil
	by.open--
	if by.open == 0 && by.waiter != nil {
		by.l.Ready(by.waiter)
		by.waiter = nil
	}
}

// requestTask is a connection as the task of one request.
type requestTask Conn

// Run calls the handler, and decides what becomes of the connection.
func (t *requestTask) Run() {
	c := (*Conn)(t)
	s := &c.serve
	done := false
	defer func() {
		if !done { // a panic or a Goexit
			s.close(c, errTaskEnded)
		}
	}()
	err := s.request(c)
	done = true
	if err != nil || c.closing {
		s.close(c, err)
		return
	}
	s.rest(c)
}

var errTaskEnded = errors.New("sock: the request's task did not return")

// request shows the handler what there is. An error means the connection's end.
func (s *serving) request(c *Conn) error {
	if s.why != nil || c.closing {
		if s.why != net.ErrClosed || c.closing || !s.late(c) {
			return s.why
		}
		s.why = nil
	}
	if s.leaving {
		return s.drop(c)
	}
	h := s.by.h
	if !s.opened {
		s.opened = true
		if h.Open != nil {
			if err := h.Open(c); err != nil || c.closing {
				return err
			}
		}
	}
	in := &c.in
	in.fill(c)
	if in.buffered() == 0 && !in.over() {
		return nil // nothing to show
	}
	s.more = false
	eof, bad := in.eof, in.err
	if err := h.Request(c); err != nil {
		return err
	}
	switch {
	case in.expired(c):
		return os.ErrDeadlineExceeded
	case eof:
		return io.EOF
	case bad != 0:
		return c.failRes("read", bad)
	case in.buffered() > s.unreadMax():
		return bufio.ErrBufferFull
	case c.l.Canceled():
		return context.Canceled
	}
	return nil
}

// rest lets the connection wait without a task, or queues it again if there is
// input that the handler has not seen.
func (s *serving) rest(c *Conn) {
	in := &c.in
	if s.why == nil && s.draining(c) && !s.leaving {
		s.look(c)
	}
	if s.unseen(c) || s.why != nil {
		s.start(c)
		return
	}
	in.peeked = false
	if in.head != nil {
		in.spill(c) // what is kept, is not kept in the ring
	}
	s.running = false
	in.arm(c)
	if s.leaving {
		return
	}
	if in.deadline != 0 {
		c.l.Arm(&in.timer, in.deadline)
	}
	if s.draining(c) {
		s.leave(c)
	}
}

// leave ends a connection that was busy when the drain began. To close it at once
// would reset it if the peer is still sending, and destroy the answers that are
// under way. So the peer is told that no more will come, and has a moment to end
// its side.
func (s *serving) leave(c *Conn) {
	if s.by.ended || c.CloseWrite() != nil {
		s.drain(c)
		return
	}
	s.leaving = true
	c.l.Arm(&c.in.timer, c.l.After(leaveMax))
}

// leaveMax is how long a peer may take to end its side once ours is.
const leaveMax = time.Second

// drop throws away what a peer sends that has had its last answer.
func (s *serving) drop(c *Conn) error {
	in := &c.in
	s.more = false
	for in.skip(c, in.buffered()); in.byHand(); in.skip(c, in.buffered()) {
		in.fill(c)
	}
	if in.over() || c.l.Canceled() {
		return net.ErrClosed
	}
	return nil
}

// unseen reports whether there is something that the handler was not shown.
func (s *serving) unseen(c *Conn) bool {
	return s.more && c.in.buffered() > 0 || c.in.over() || c.in.byHand()
}

// draining reports whether connections are closed as soon as they rest.
func (s *serving) draining(c *Conn) bool { return c.l.Draining() || s.by.ended }

// look asks the kernel whether more has come. To close with bytes unread resets
// the connection, and destroys the answers that are under way to the peer; so
// while the peer goes on sending, it is answered, until Grace ends.
func (s *serving) look(c *Conn) {
	in := &c.in
	if in.how == receiving || in.over() {
		return // late looks
	}
	before := in.buffered()
	in.ready = true
	in.fill(c)
	s.more = s.more || in.buffered() > before
}

// late looks for what came since the connection was found at rest.
func (s *serving) late(c *Conn) bool {
	if c.in.how == receiving {
		c.l.Sleep(0) // a turn, in which the armed receive brings what there is
	} else {
		s.look(c)
	}
	return s.why == net.ErrClosed && !c.closing && !s.leaving && !c.in.over() && s.unseen(c)
}

// close ends the connection from within its task.
func (s *serving) close(c *Conn, err error) {
	if s.by == nil {
		return
	}
	if err == nil {
		err = net.ErrClosed // the handler closed it
	}
	c.beginClose()
	c.awaitClosed()
	defer s.end() // also if Closed panics: Serve waits for it
	if h := s.by.h; h.Closed != nil {
		h.Closed(c, err)
	}
}
