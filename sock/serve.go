package sock

import (
	"context"
	"errors"
	"net"
	"slices"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/timer"
)

// ListenAndServe runs loops that accept connections on one address, and calls serve for each in a task of its own. The
// connection is closed when serve returns; to learn whether the last answer could be sent, call Conn.Flush before. When
// the program drains, a serve that waits for its peer has until Config.Grace ends, unless it has marked the connection
// idle (Conn.SetIdle). ListenAndServe returns nil after an orderly end, as ringo.Run does. With port 0 all loops share
// one port; see Reserve to learn which. Any goroutine may call it. A task gets an error, since its loop would stop
// meanwhile.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, network, address string, serve func(c *Conn)) error {
	return new(ListenConfig).ListenAndServe(ctx, cfg, network, address, serve)
}

// ListenAndServe is like the function ListenAndServe, with these options.
func (lc *ListenConfig) ListenAndServe(ctx context.Context, cfg *ringo.Config, network, address string,
	serve func(c *Conn)) error {
	if err := checkServe("ListenAndServe", serve == nil); err != nil {
		return err
	}
	set, err := lc.Reserve(network, address)
	if err != nil {
		return err
	}
	return serveSets(ctx, cfg, []*ListenerSet{set}, serve)
}

// ServeSets is like ListenAndServe, but for one or more sockets of any network that listen already, made by Reserve,
// ListenConfig.Reserve or AdoptSet. It closes them when it returns. A connection's LocalAddr says which socket accepted
// it. If a socket can't accept any more, the program ends with its error. Any goroutine may call it; a task gets an
// error.
func ServeSets(ctx context.Context, cfg *ringo.Config, sets []*ListenerSet, serve func(c *Conn)) error {
	if err := checkServe("ServeSets", serve == nil); err != nil {
		return err
	}
	if len(sets) == 0 || slices.Contains(sets, nil) {
		return errors.New("sock: ServeSets without a ListenerSet, or with a nil one")
	}
	return serveSets(ctx, cfg, sets, serve)
}

func checkServe(name string, ofNil bool) error {
	if l, _ := loop.Current(); l != nil {
		return errors.New("sock: " + name + " from inside a task, which would stop its loop: call it from a " +
			"goroutine or in Loop.Offload")
	}
	if ofNil {
		return errors.New("sock: " + name + " of a nil function")
	}
	return nil
}

func serveSets(ctx context.Context, cfg *ringo.Config, sets []*ListenerSet, serve func(c *Conn)) error {
	defer func() {
		for _, set := range sets {
			set.Close()
		}
	}()
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		var all []*Listener
		for _, set := range sets {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			all = append(all, ln)
		}
		if len(all) == 1 {
			return all[0].startEach(serve)
		}
		// The end of one listener does not end the others: in a drain each still returns the peers that had connected.
		ends := ringo.NewChan[error](len(all))
		for _, ln := range all {
			l.Go(func() { ends.TrySend(ln.startEach(serve)) })
		}
		for range all {
			end, err := ends.Recv()
			if err == nil && !errors.Is(end, net.ErrClosed) {
				err = end
			}
			if err != nil {
				return err
			}
		}
		return net.ErrClosed
	})
}

// startEach starts a task for each connection. It returns the error with which accepting has ended.
func (ln *Listener) startEach(serve func(c *Conn)) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		c.serve.conn = serve
		c.l.Start(c.l.Inherited().To((*connTask)(c)))
	}
}

// connTask is a connection as the task that serves it until it is closed.
type connTask Conn

// Run serves the connection.
func (t *connTask) Run() {
	c := (*Conn)(t)
	defer c.Close()
	c.serve.conn(c)
}

// Code shows the task under the name of the program's function.
func (t *connTask) Code() code.Func { return code.Of(t.serve.conn) }

// A Handler handles the connections of Serve. All loops may share one.
type Handler struct {
	// Open, if not nil, is called once, before any Request, for example to greet the peer, or to set a value or a
	// deadline. If it returns an error, the connection is closed.
	Open func(c *Conn) error
	// Request is called when there is new input: bytes, the end of the stream, an error or a passed deadline. It is
	// never called concurrently for one connection. It runs as a task and may park. Bytes that it leaves unread are
	// kept, and it is called again once more bytes have come, even if they came while it ran; occasionally it is called
	// with nothing new. The connection is closed if Request returns an error, or returns after the end of the stream,
	// an error or a passed read deadline. Read deadlines also apply between requests.
	Request func(c *Conn) error
	// Closed, if not nil, is called once for each connection, last, when all calls on it have ended, even if Open is
	// nil. err is the reason: io.EOF, the error of Open or Request, os.ErrDeadlineExceeded, ErrNoReturn if Open or
	// Request panicked, or net.ErrClosed when the program drains. If a buffered write (see Conn.Write) failed and no
	// other call has returned its error, err wraps that error too, so compare it with errors.Is.
	Closed func(c *Conn, err error)
	// Moved, if not nil, lets ListenerSet.Rebalance move connections to other loops between two requests. It is called
	// once for each move, before the next Request or Closed, in a task of the loop that c belongs to now, with that
	// loop's Handler. c replaces the previous Conn, for which Closed is not called, and has its Value, deadlines, idle
	// state and so on, as after Conn.MoveTo. Calls on the old Conn fail with net.ErrClosed, even Close, which does not
	// close c: a program that keeps a Conn to call it from elsewhere, or in a Feed, has to replace it by c. If the
	// other loop refuses a move, for example since it has begun to drain, the connection stays on its loop, but with
	// another Conn, and Moved is called.
	Moved func(c *Conn)
	// Drain, if not nil, is called when the program drains, once for each connection, as soon as it is between two
	// requests, instead of ending it. Then the connection continues to be served, until its peer ends it, Request
	// returns an error, its read deadline passes, or Grace is over. If Drain returns an error, the connection is
	// closed. It runs as Request does, and is the place to send the peer elsewhere, to set a deadline for the last
	// request, or to take the connection out, as package upgrade does.
	Drain func(c *Conn) error
	// More, if not nil, returns connections that do not come from the listener, to be served as if it had accepted
	// them: for example those that a predecessor of the program passes on (package upgrade). They have to belong to
	// loop l, and to no other caller. Each call of Serve calls More repeatedly, in a task of its own, until it returns
	// an error, which only ends these calls; Serve does not return before that. It may park.
	More func(l *ringo.Loop) (*Conn, error)
	// Unread is how many bytes Request may leave unread; the default is 65536. If it leaves more, the connection is
	// closed with bufio.ErrBufferFull. On network unixpacket it has to read its record.
	Unread int
}

// server is one call of Serve.
type server struct {
	l      *loop.Loop
	h      *Handler
	open   int // connections that are served, and one for takeMore
	more   *ringo.Task
	ended  bool // the task of Serve was cancelled: all connections are to be closed
	waiter *loop.Task
	gives  loop.Inherited // what requests inherit from the task that called Serve

	patience timer.Timer // in a drain: for peers that have not spoken yet
}

// Serve accepts connections and calls h for their requests. It returns nil once accepting has stopped and the last
// connection is closed. A connection between requests needs no stack. When the program drains, and there is no
// Handler.Drain, idle connections are closed at once. Busy ones are shut down when Request returns, and closed when the
// peer has ended its side too, at most a second later. Two kinds are served first: connections accepted in the last
// five seconds whose first request has not come, which have that time from the start of the drain, or half of
// ringo.Config.Grace if that is less, and those with bytes that Request has left unread, since the rest of a request is
// to come. A Request that has not returned when Grace is over is cancelled, like any task. Only a task of l may call
// Serve; it parks.
func Serve(l *ringo.Loop, ln *Listener, h *Handler) error {
	if ln == nil {
		return errors.New("sock: Serve of a nil Listener")
	}
	e := (*loop.Loop)(l)
	if !e.IsCurrent() {
		return ln.fail("accept", stranger(e))
	}
	if h == nil || h.Request == nil {
		return errors.New("sock: Serve without Handler.Request")
	}
	if h.Unread < 0 {
		return errors.New("sock: Handler.Unread is negative")
	}
	if ln.l != e {
		return ln.fail("accept", stranger(ln.l))
	}
	s := &server{l: e, h: h, gives: e.Inherited()}
	s.patience.Owner = s
	defer e.Timers().Remove(&s.patience)
	ln.member.begins(s)
	if h.More != nil {
		s.open++
		s.more = l.Go(s.takeMore)
	}
	for {
		c, err := ln.AcceptConn()
		if err == nil {
			c.core.SetIdle(false) // when Request runs the peer has spoken, and nothing else says so
			s.add(c)
			continue
		}
		ln.member.ends(s)
		if errors.Is(err, net.ErrClosed) {
			s.wait()
			return nil
		}
		s.closeAll()
		s.wait()
		return err
	}
}

// takeMore serves the connections that Handler.More returns, in a task of its own.
func (s *server) takeMore() {
	defer s.left()
	for {
		c, err := s.h.More((*ringo.Loop)(s.l))
		switch {
		case err != nil:
			return
		case c == nil || c.l != s.l || c.serve.by != nil:
			panic("sock: Handler.More returned no connection of the loop's that nobody else serves")
		case s.ended:
			c.Close()
		default:
			c.core.SetIdle(false)
			s.add(c)
		}
	}
}

// left notes that a connection, or takeMore, is served no longer. After the last one it resumes Serve.
func (s *server) left() {
	s.open--
	if s.open == 0 && s.waiter != nil {
		s.l.Ready(s.waiter)
		s.waiter = nil
	}
}

// add begins to serve a connection.
func (s *server) add(c *Conn) {
	s.open++
	c.serve.by, c.serve.last = s, s.l.NowNS()
	if s.l.Draining() {
		s.expect()
	}
	if s.h.Open != nil || c.in.Any() || c.in.IsReady() || c.serve.tells(c) {
		c.serve.start(c)
		return
	}
	c.serve.state = opened
	c.in.arm(c)
}

// expect gives peers that have not spoken time to do so, once the drain has begun.
func (s *server) expect() {
	if !s.patience.Armed() {
		s.l.Timers().Arm(&s.patience, s.l.After(handle.SilentMax(s.l)))
	}
}

// Fire ends that time: it closes the connections whose peers have still not spoken.
func (s *server) Fire(*timer.Timer) {
	s.each(func(c *Conn) {
		if !c.serve.spoken && !c.serve.leaving && !c.serve.told {
			c.serve.drain(c)
		}
	})
}

// closeAll closes the connections that rest. The others are closed when their Request returns.
func (s *server) closeAll() {
	s.ended = true
	if s.more != nil {
		s.more.Cancel()
	}
	s.each(func(c *Conn) { c.serve.drain(c) })
}

// each calls f for each connection that s serves.
func (s *server) each(f func(*Conn)) {
	eachServed(s.l, func(c *Conn) {
		if c.serve.by == s {
			f(c)
		}
	})
}

// eachServed calls f for each connection of a loop that Serve serves. For the loop's thread.
func eachServed(l *loop.Loop, f func(*Conn)) {
	l.Handles().Each(func(o loop.Open) {
		if c, ok := handle.Of(o).(*connHooks); ok && c.serve.by != nil {
			f((*Conn)(c))
		}
	})
}

// wait parks until the last connection is closed. If the task is cancelled, it closes them all, and waits for that.
func (s *server) wait() {
	for s.open > 0 {
		if s.l.Canceled() && !s.ended {
			s.closeAll()
		}
		s.waiter = s.l.Task()
		s.l.Park(s)
		s.waiter = nil
	}
}

// CancelWait resumes a cancelled task, which closes what is open.
func (s *server) CancelWait(t *loop.Task) {
	if s.ended {
		t.WaitOn(s)
		return
	}
	s.waiter = nil
	s.l.Ready(t)
}

// DescribeWait says that the task waits for the last connections.
func (s *server) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op = "the last connections" }
