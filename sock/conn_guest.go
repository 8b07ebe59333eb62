package sock

import (
	"bufio"
	"io"
	"net"
	"os"

	"ringo/buf"
	"ringo/internal/op"
)

// guest gives what the handle keeps for callers that are no tasks of its loop.
func (c *Conn) guest() (*guests, error) { return guestsOf(c.l, &c.guests, c) }

func (c *Conn) newGuests() *guests {
	g := newGuests(c.l, &c.fd, (*connHost)(c))
	g.in.limit, g.out.limit = &c.readBy, &c.writeBy
	g.in.records, g.out.records = c.records(), c.records()
	if c.atHand != nil {
		g.in.lock, g.out.lock = &c.in.lock, &c.out.lock
	}
	return g
}

// failGuest wraps the error of a guest's call.
func (c *Conn) failGuest(name string, err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case err == net.ErrClosed && c.l.Ended():
		err = errEnded
	}
	return c.fail(name, err)
}

// readAsGuest is Read for guests.
func (c *Conn) readAsGuest(p []byte) (n int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		n, err = g.read(p)
		g.leave(&g.in)
	}
	return n, c.failGuest("read", err)
}

// read gives what was left by the loop, then what the kernel has.
func (g *guests) read(p []byte) (n int, err error) {
	s := &g.in
	if n, ok, err := s.left(p); ok {
		return n, err
	}
	s.op.Buf = p
	if !s.records {
		s.op.Buf = p[:min(len(p), pieceMax)]
	}
	res, err := g.do(s)
	switch {
	case err != nil:
		return 0, err
	case res < 0:
		s.err = res
		return 0, callError("read", res)
	case res == 0:
		s.eof = !s.records // of which it may have been an empty one
		return 0, io.EOF
	}
	return int(res), nil
}

// left answers a read without asking the kernel, if that can be done.
func (s *side) left(p []byte) (n int, ok bool, err error) {
	if len(p) == 0 {
		return 0, true, nil
	}
	if len(s.unread) == 0 && s.err == 0 && !s.eof {
		return 0, false, nil
	}
	if err := s.passed(); err != nil {
		return 0, true, err
	}
	switch {
	case len(s.unread) > 0:
		n = copy(p, s.unread)
		if s.unread = s.unread[n:]; s.records {
			s.unread = nil // a record's rest is dropped
		}
		return n, true, nil
	case s.err != 0:
		return 0, true, callError("read", s.err)
	}
	return 0, true, io.EOF
}

// passed is the error of a call that comes when the deadline has passed.
func (s *side) passed() error {
	if limit := s.limit.Load(); limit != 0 && s.g.l.Elapsed() >= limit {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// more reads on, behind what is unread.
func (g *guests) more() error {
	s := &g.in
	if s.records {
		return g.moreRecord()
	}
	unread := s.unread
	s.unread = nil
	p := make([]byte, 4096)
	n, err := g.read(p)
	s.unread = append(unread, p[:n]...)
	return err
}

// nextAsGuest is Next for guests, whose bytes are in memory of their own.
func (c *Conn) nextAsGuest() (lease buf.Lease, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		if int(c.held.Load()) >= c.l.Config().Leases {
			err = errLeases
		} else if len(g.in.unread) == 0 {
			err = g.more()
		}
		if err == nil {
			lease = buf.Of(g.in.unread, &c.held)
			g.in.unread = nil
		}
		g.leave(&g.in)
	}
	return lease, c.failGuest("read", err)
}

// peekAsGuest is Peek for guests.
func (c *Conn) peekAsGuest(n int) (p []byte, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		s := &g.in
		switch {
		case s.records:
			p, err = g.firstOfRecord(n)
		case n > max(peekMax, len(s.unread)):
			err = bufio.ErrBufferFull
		default:
			for err == nil && len(s.unread) < n {
				err = g.more()
			}
			k := min(n, len(s.unread))
			p = s.unread[:k:k]
		}
		g.leave(s)
	}
	if err == bufio.ErrBufferFull {
		return nil, err
	}
	if err == nil && len(p) < n {
		return p, io.ErrUnexpectedEOF
	}
	return p, c.failGuest("read", err)
}

// discardAsGuest is Discard for guests.
func (c *Conn) discardAsGuest(n int) (done int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		s := &g.in
		if s.records {
			var p []byte
			p, err = g.firstOfRecord(n)
			done = len(p)
			s.unread = s.unread[done:]
		}
		for err == nil && !s.records {
			k := min(n-done, len(s.unread))
			s.unread = s.unread[k:]
			if done += k; done == n {
				break
			}
			err = g.more()
		}
		g.leave(s)
	}
	if err == nil && done < n {
		return done, io.ErrUnexpectedEOF
	}
	return done, c.failGuest("read", err)
}

// bufferedAsGuest is Buffered for guests. It leaves the input with whom it is: a task may be looking at
// bytes in place, and the guests' are elsewhere.
func (c *Conn) bufferedAsGuest() (n int) {
	g, err := c.guest()
	if err != nil {
		return 0
	}
	g.mu.Lock()
	theirs := g.in.held || g.closed
	g.mu.Unlock()
	if theirs {
		return g.in.buffered()
	}
	atHome(c.l, func() error {
		n = c.Buffered()
		return nil
	})
	return n
}

// buffered is how many bytes the guests have that nobody is at.
func (s *side) buffered() int {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.busy || s.g.closed {
		return 0
	}
	return len(s.unread)
}

// writeAsGuest is Write for guests.
func (c *Conn) writeAsGuest(p []byte) (n int, err error) {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.out)
	}
	if err == nil {
		n, err = g.write(p)
		g.leave(&g.out)
	}
	return n, c.failGuest("write", err)
}

func (g *guests) write(p []byte) (n int, err error) {
	s := &g.out
	piece := pieceMax
	if s.records {
		piece = max(piece, len(p))
	}
	for {
		s.op.Buf = p[n:min(len(p), n+piece)]
		res, err := g.do(s)
		switch {
		case err != nil:
			return n, err
		case res < 0:
			return n, callError("write", res)
		}
		if n += int(res); n == len(p) {
			return n, nil
		}
	}
}

// plain runs a call on the descriptor that needs no turn and does not wait.
func (c *Conn) plain(name string, ask question) (int32, error) {
	if !c.l.Here() {
		return c.plainAsGuest(name, ask)
	}
	if err := c.check(name); err != nil {
		return 0, err
	}
	return ask(c.l.Kernel(), c.fd.Sys()), nil
}

func (c *Conn) plainAsGuest(name string, ask question) (int32, error) {
	g, err := c.guest()
	if err != nil {
		return 0, c.failGuest(name, err)
	}
	res, err := g.plain(ask)
	return res, c.failGuest(name, err)
}

// connHost is the connection as the host of its guests.
type connHost Conn

func (h *connHost) attend() { (*Conn)(h).attend() }

func (h *connHost) settle(s *side) {
	if c := (*Conn)(h); s.reads() {
		c.in.settle(c)
	}
}

func (h *connHost) give(s *side) {
	c := (*Conn)(h)
	if s.reads() {
		c.in.give(c, s)
		c.forget()
	}
}

func (h *connHost) take(s *side) {
	if c := (*Conn)(h); s.reads() {
		c.in.take(c, s)
	}
}

func (h *connHost) keeps(s *side) bool { return len(s.unread) > 0 }

func (h *connHost) moved(s *side) {
	if c := (*Conn)(h); s.reads() {
		c.in.deadlineMoved(c)
	} else {
		c.out.deadlineMoved(c)
	}
}

func (h *connHost) vacated() { (*Conn)(h).maybeClosed() }

func (h *connHost) discard() {
	c := (*Conn)(h)
	closeRaw(c.fd.Take())
	c.guests.Load().concluded()
	c.strays().remove(c.guests.Load())
}

// forget has the driver let go of a descriptor from which guests read: it would be
// told of each arrival.
func (c *Conn) forget() {
	if c.fd.Busy() {
		return
	}
	o := call(c.l, op.Close)
	o.FD, o.Arg = &c.fd, op.ForgetOnly
	c.l.Try(o)
}

// settle ends what is armed, and waits for its last completion.
func (in *input) settle(c *Conn) {
	for in.op != nil {
		if !in.op.Canceled {
			c.l.Cancel(in.op)
		}
		in.waiter = c.l.Task()
		c.l.Park(nil)
		in.waiter = nil
	}
}

// give leaves what is known of the input to guests.
func (in *input) give(c *Conn, s *side) {
	if n := in.buffered(); n > 0 {
		s.unread = make([]byte, n)
		in.copyTo(c, s.unread)
	}
	s.eof, s.err = in.eof, in.err
	in.peeked = false
}

// take is the way back. Nobody knows whether there is more.
func (in *input) take(c *Conn, s *side) {
	in.resume(c, s.unread)
	s.unread = nil
	in.eof, in.err = s.eof, s.err
	if c.serve.resting() && !c.closing {
		in.deadlineMoved(c)
		c.serve.news(c)
	}
}
