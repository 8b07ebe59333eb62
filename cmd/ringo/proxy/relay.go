package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/posix"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// relay is a run of ringo proxy.
type relay struct {
	*server.Server
	o     *options
	slots *ringo.Semaphore // for connections; nil: without a limit
	backs sockclient.Pool

	waiting, dialing, failed atomic.Int64

	complaints chan string
	unsaid     atomic.Int64 // complaints that there was no room for
}

// complaintsMax bounds the lines that wait to be written.
const complaintsMax = 64

func newRelay(o *options, s *server.Server) *relay {
	r := &relay{Server: s, o: o, complaints: make(chan string, complaintsMax)}
	r.backs.Ahead = o.ahead
	r.backs.Dial = func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		return (&sock.Dialer{Timeout: o.dial}).Func(l)(ctx, o.to[0].Network, o.to[0].Name)
	}
	if o.max > 0 {
		r.slots = ringo.NewSemaphore(int64(o.max))
	}
	s.Words = func() string {
		return fmt.Sprintf(" waiting=%d dialing=%d failed=%d", r.waiting.Load(), r.dialing.Load(), r.failed.Swap(0))
	}
	s.Streams = r.accept
	s.Side.Go(r.tellComplaints)
	return r
}

// accept gives each connection a task. With -max it stops at the limit, so that the others
// wait in front of it.
func (r *relay) accept(l *ringo.Loop, ln *sock.Listener) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		if r.slots != nil {
			r.waiting.Add(1)
			err := r.slots.Acquire(context.Background(), 1)
			r.waiting.Add(-1)
			if err != nil {
				c.Close()
				return err
			}
		}
		l.Go(func() { r.pass(l, c) })
	}
}

// pass is one connection, from its accept to its end.
func (r *relay) pass(l *ringo.Loop, c *sock.Conn) {
	r.Conns.Add(1)
	defer func() {
		r.Conns.Add(-1)
		if r.slots != nil {
			r.slots.Release(1)
		}
	}()
	defer c.Close()
	r.dialing.Add(1)
	got, err := r.backs.Get(context.Background(), l)
	r.dialing.Add(-1)
	if err != nil {
		r.failed.Add(1)
		r.complain(fmt.Sprintf("connection of %v is reset: %v", c.RemoteAddr(), err))
		c.SetLinger(0)
		return
	}
	defer got.Close()
	back := got.Conn.(*sock.Conn)
	defer back.Close() // which waits
	one, other := &end{Conn: c}, &end{Conn: back}
	up := l.Go(func() { r.move(c, other, one) })
	r.move(c, one, other)
	up.Wait()
}

// end is one end of what is passed on.
type end struct {
	*sock.Conn
	ended  bool // what it gets is complete
	broken bool // a write to it has failed
}

// isReset reports whether the connection is over for both directions: its peer has reset it, or does
// not answer any more. A peer that only ends its side leaves it half open.
func (e *end) isReset() bool {
	info, err := e.TCPInfo()
	return err == nil && info.State == sock.TCPClose
}

// refuses reports whether an error of a write says that the peer takes no more.
func (e *end) refuses(err error) bool {
	return errors.Is(err, posix.EPIPE) || errors.Is(err, posix.ECONNRESET) || e.isReset() && !isOurs(err)
}

// isOurs reports whether an error is of this machine, and says nothing of a peer. A connection that has lost bytes by
// it was reset from this side.
func isOurs(err error) bool {
	return errors.Is(err, posix.ENOMEM) || errors.Is(err, posix.ENOBUFS) || errors.Is(err, posix.EIO)
}

// move passes on what from sends, and how it ends. What is cut short, either peer sees as a reset.
// But if to takes no more, only this direction ends as long as the other goes on: what to has sent
// before may still be on its way. The connection is client's.
func (r *relay) move(client *sock.Conn, to, from *end) {
	_, err := io.Copy(to.Conn, from.Conn)
	// A reset that a write has met reads as an end of the stream.
	complete := err == nil && !from.broken && (from.ended || !from.isReset())
	if complete {
		to.ended = true
		err = to.CloseWrite()
	}
	var op *net.OpError
	reading := errors.As(err, &op) && op.Op == "read"
	switch {
	case complete && err == nil:
	case errors.Is(err, net.ErrClosed):
		// Who closed one end closes the other.
	case errors.Is(err, context.Canceled):
		to.Close()
		from.Close()
	case err != nil && !reading && !from.ended && to.refuses(err):
		to.broken = true
		io.Copy(io.Discard, from.Conn) // else from may wait for us to read, and take nothing of the other direction
	default:
		if err != nil && (isOurs(err) || !from.isReset() && !to.isReset()) {
			r.complain(fmt.Sprintf("connection of %v is reset: %v", client.RemoteAddr(), err))
		}
		reset(to)
		reset(from)
	}
}

// A reset drops what its peer has not got yet: it waits for that so often.
const (
	resetWaits = 100
	resetWait  = 10 * time.Millisecond
)

// reset closes an end so that its peer sees a reset, too, behind all that was sent to it.
func reset(e *end) {
	for range resetWaits {
		if info, err := e.TCPInfo(); err != nil || info.State == sock.TCPClose ||
			info.Unacked == 0 && info.NotSent == 0 {
			break
		}
		if e.Loop().Sleep(resetWait) != nil {
			break
		}
	}
	e.SetLinger(0)
	e.Close()
}

// complain has a line written to stderr. It does not wait: a task calls it.
func (r *relay) complain(line string) {
	select {
	case r.complaints <- line:
	default:
		r.unsaid.Add(1)
	}
}

// tellComplaints writes the lines, on a goroutine.
func (r *relay) tellComplaints() {
	for quit := false; ; {
		select {
		case line := <-r.complaints:
			if n := r.unsaid.Swap(0); n > 0 {
				line = fmt.Sprintf("%s\n%d more such lines were left out", line, n)
			}
			fmt.Fprintln(r.Stderr, line)
			continue
		default:
		}
		if quit {
			return
		}
		select {
		case line := <-r.complaints:
			fmt.Fprintln(r.Stderr, line)
		case <-r.Quit:
			quit = true // what is left is still told
		}
	}
}
