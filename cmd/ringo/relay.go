package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/sock"
)

// relay is a run of ringo proxy.
type relay struct {
	*server
	o     *proxyOptions
	slots *ringo.Semaphore // for connections; nil: without a limit

	waiting, dialing, failed atomic.Int64

	complaints chan string
	unsaid     atomic.Int64 // complaints that there was no room for
}

// complaintsMax bounds the lines that wait to be written.
const complaintsMax = 64

func newRelay(o *proxyOptions, s *server) *relay {
	r := &relay{server: s, o: o, complaints: make(chan string, complaintsMax)}
	if o.max > 0 {
		r.slots = ringo.NewSemaphore(int64(o.max))
	}
	s.words = func() string {
		return fmt.Sprintf(" waiting=%d dialing=%d failed=%d", r.waiting.Load(), r.dialing.Load(), r.failed.Swap(0))
	}
	s.streams = r.accept
	s.side.Go(r.tellComplaints)
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
			err := r.slots.Acquire(1)
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
	r.conns.Add(1)
	defer func() {
		r.conns.Add(-1)
		if r.slots != nil {
			r.slots.Release(1)
		}
	}()
	defer c.Close()
	r.dialing.Add(1)
	to := r.o.to[0]
	back, err := (&sock.Dialer{Timeout: r.o.dial}).Dial(l, to.network, to.name)
	r.dialing.Add(-1)
	if err != nil {
		r.failed.Add(1)
		r.complain(fmt.Sprintf("connection of %v is reset: %v", c.RemoteAddr(), err))
		c.SetLinger(0)
		return
	}
	defer back.Close()
	one, other := &end{Conn: c}, &end{Conn: back}
	up := l.Go(func() { move(other, one) })
	move(one, other)
	up.Wait()
}

// end is one end of what is passed on.
type end struct {
	*sock.Conn
	ended  bool // what it gets is complete
	broken bool // a write to it has failed
}

// wasReset reports whether the end of what e sent was none: a reset that a write has met,
// reads take for the end. A peer that only ends its side leaves the connection half open.
func (e *end) wasReset() bool {
	if e.broken || e.ended {
		return e.broken
	}
	info, err := e.TCPInfo()
	return err == nil && info.State == sock.TCPClose
}

// move passes on what from sends, and how it ends. That to takes no more ends this direction
// alone: what it has sent before is still under way.
func move(to, from *end) {
	_, err := io.Copy(to.Conn, from.Conn)
	var op *net.OpError
	switch {
	case err == nil && !from.wasReset():
		to.ended = true
		to.CloseWrite()
	case err == nil:
		reset(to)
	case errors.As(err, &op) && op.Op == "read":
		if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
			to.Close()
			return
		}
		reset(to)
	default:
		to.broken = true
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
		if info, err := e.TCPInfo(); err != nil || info.Unacked == 0 && info.NotSent == 0 {
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
			fmt.Fprintln(r.stderr, line)
			continue
		default:
		}
		if quit {
			return
		}
		select {
		case line := <-r.complaints:
			fmt.Fprintln(r.stderr, line)
		case <-r.quit:
			quit = true // what is left is still told
		}
	}
}
