package sockhttp

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"ringo"
	"ringo/internal/loop"
)

// now returns the time for deadlines: of the loop's clock, which costs nothing, or else of the process.
func (c *conn) now() time.Time { return nowOn(c.loop) }

func nowOn(l *ringo.Loop) time.Time {
	if l := (*loop.Loop)(l); l.IsCurrent() {
		return l.Now()
	}
	return time.Now()
}

// passed reports whether t, a time of the caller's clock, has passed. Any goroutine may call it.
func (c *conn) passed(t time.Time) bool {
	if c.loop != nil {
		t = (*loop.Loop)(c.loop).Outside(t)
	}
	return !t.After(c.clock())
}

// Deadlines of a connection.
const (
	timedReads = 1 << iota
	timedWrites
	timedOut // both have passed, for good
)

// setReadDeadline and setWriteDeadline are the connection's, in vain once cutOff was called.
func (c *conn) setReadDeadline(t time.Time) error {
	err := c.c.SetReadDeadline(t)
	c.keepCutOff()
	return err
}

func (c *conn) setWriteDeadline(t time.Time) error {
	err := c.c.SetWriteDeadline(t)
	c.keepCutOff()
	return err
}

// cutOff ends all waits for the peer, now and later, whatever other code does with deadlines meanwhile: it sets its
// flag first, and they look at that last.
func (c *conn) cutOff() {
	c.timed.Or(timedOut)
	c.keepCutOff()
}

func (c *conn) keepCutOff() {
	if c.timed.Load()&timedOut != 0 {
		c.c.SetDeadline(time.Unix(1, 0))
	}
}

// limitReads makes reads fail after d, or no longer fail if d is 0, whatever deadline was set before.
func (c *conn) limitReads(d time.Duration) {
	if c.changes(timedReads, d) {
		c.setReadDeadline(c.deadline(d))
	}
}

// limitWrites is limitReads for writes.
func (c *conn) limitWrites(d time.Duration) {
	if c.changes(timedWrites, d) {
		c.setWriteDeadline(c.deadline(d))
	}
}

// write writes p. The peer may take nothing of it for d; see writeIn.
func (c *conn) write(p []byte, d time.Duration) error { return writeIn(c.c, p, d, c.giveTime) }

// giveTime makes writes fail after d, or no longer fail if d is 0. It is not noted: the write that it is for ends it.
func (c *conn) giveTime(d time.Duration) { c.setWriteDeadline(c.deadline(d)) }

// patience returns how long the peer may take nothing of a write; 0: for any time, or another deadline counts.
func (c *conn) patience() time.Duration {
	if c.timed.Load()&timedWrites != 0 {
		return 0
	}
	return c.s.WriteByteTimeout
}

// writeIn writes p to c. Unless d is 0, it fails when the peer has taken nothing for d: limit sets that deadline, which
// is removed after p.
func writeIn(c net.Conn, p []byte, d time.Duration, limit func(d time.Duration)) error {
	if d <= 0 {
		_, err := c.Write(p)
		return err
	}
	for {
		limit(d)
		n, err := c.Write(p[:min(len(p), pieceTaken)])
		p = p[n:]
		switch {
		case err == nil && len(p) == 0:
			limit(0)
			return nil
		case err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)):
			return err
		}
	}
}

// pieceTaken is how much of what is written by TLS, which can't say that the peer has taken a part of a write, the peer
// has to take in time.
const pieceTaken = 64 << 10

// changes notes that a deadline is set, or with 0 that none is, and reports whether the connection has to be told.
func (c *conn) changes(which uint32, d time.Duration) bool {
	if d > 0 {
		c.timed.Or(which)
		return true
	}
	return c.timed.Load()&which != 0 && c.timed.And(^which)&which != 0
}

func (c *conn) deadline(d time.Duration) time.Time { return deadlineOn(c.loop, d) }

func deadlineOn(l *ringo.Loop, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return nowOn(l).Add(d)
}

// limitHead starts the time that a head may take, which replaces the idle timeout.
func (c *conn) limitHead() {
	if !c.limited {
		c.limited = true
		c.limitReads(c.s.headerTimeout())
	}
}

// beginRequest sets the deadlines of a request whose head has arrived.
func (c *conn) beginRequest() {
	c.limitReads(c.s.ReadTimeout)
	c.limitWrites(c.s.WriteTimeout)
	c.limited = false
}

// rest sets the deadline of a connection that waits for its next request.
func (c *conn) rest() {
	c.active = false
	c.tell(c.net(), http.StateIdle)
	c.limitWrites(0)
	c.limitReads(c.s.idleTimeout())
}
