package event

import (
	"math"
	"time"

	"ringo/internal/op"
	"ringo/internal/timer"
)

// Timeout says which direction has timed out.
type Timeout uint8

// The timeouts of Conn.SetTimeouts. Both may be set.
const (
	ReadTimeout  Timeout = 1 << iota // no byte has arrived
	WriteTimeout                     // no unsent byte was sent
)

// timeouts are the timeouts of one connection. One timer checks both when one of them may be over; reads and writes
// only note the time.
type timeouts struct {
	c    *Conn
	each [2]struct{ after, since int64 } // after: the timeout, 0: none; since: when a byte last came or went
	t    timer.Timer
	due  bool // the runner is to check which of them is over
}

// reads and writes are indexes of each.
const (
	reads = iota
	writes
)

// SetTimeouts makes the loop call OnTimeout when no byte has arrived for the duration read, or when there are unsent
// bytes and none was sent for the duration write; 0 means no timeout. OnTimeout is called again after each further such
// period. There is no read timeout while the connection is paused or after the peer has ended its side; Resume, OnOpen
// and SetTimeouts restart it. Behind Close there is the write timeout alone, which ends the connection without
// OnTimeout. Both are accurate to a turn of the loop, and cost almost nothing on an active connection.
func (c *Conn) SetTimeouts(read, write time.Duration) {
	e := c.here("Conn.SetTimeouts")
	if c.state >= closing {
		return
	}
	s := c.own()
	if s.timeouts == nil {
		if read <= 0 && write <= 0 {
			return
		}
		s.timeouts = &timeouts{c: c}
		s.timeouts.t.Owner = s.timeouts
	}
	t := s.timeouts
	t.each[reads].after, t.each[writes].after = int64(max(read, 0)), int64(max(write, 0))
	now := e.l.NowNS()
	t.each[reads].since, t.each[writes].since = now, now
	e.l.Timers().Disarm(&t.t)
	t.arm()
	if c.out != nil {
		c.out.seeParts()
	}
}

// sendsBy returns how waiting bytes are sent: all in one op, unless a write timeout, or the time that the peer has
// behind Close, needs to see that some of them are.
func (c *Conn) sendsBy() op.Flags {
	if c.hasWriteTimeout() || c.state == closing {
		return 0
	}
	return op.Full
}

func (c *Conn) hasWriteTimeout() bool {
	return c.set.timeouts != nil && c.set.timeouts.each[writes].after > 0
}

// goesOn notes that a byte has come or gone, or that the time begins anew.
func (c *Conn) goesOn(way int) {
	if t := c.set.timeouts; t != nil {
		t.each[way].since = c.e.l.NowNS()
	}
}

// begins is goesOn, and starts the timer if it has to.
func (c *Conn) begins(way int) {
	if t := c.set.timeouts; t != nil {
		c.goesOn(way)
		t.arm()
	}
}

// ends returns when a timeout is over; never, if nothing has to happen in that direction.
func (t *timeouts) ends(way int) int64 {
	c, w := t.c, &t.each[way]
	switch {
	case w.after == 0, c.state != open && (c.state != closing || way == reads || c.flags&leaving != 0),
		way == reads && (c.flags&paused != 0 || c.in.Over()),
		way == writes && (c.out == nil || c.out.op == nil):
		return math.MaxInt64
	}
	return w.since + min(w.after, math.MaxInt64-w.since)
}

// over reports whether a timeout was over when the loop last looked for events. Bytes that were due after that may have
// come.
func (t *timeouts) over(way int) bool { return t.ends(way) <= t.c.e.l.LookedNS() }

// arm makes the timer fire when the first timeout may be over, or before.
func (t *timeouts) arm() {
	at := min(t.ends(reads), t.ends(writes))
	if at < math.MaxInt64 && (!t.t.Armed() || at < t.t.At()) {
		t.c.e.l.Timers().Arm(&t.t, at)
	}
}

// Fire is called when a timeout may be over.
func (t *timeouts) Fire(*timer.Timer) {
	if !t.over(reads) && !t.over(writes) {
		t.arm()
		return
	}
	t.due = true
	t.c.wake()
}

// tell calls OnTimeout for the timeouts that are over, unless bytes have come or gone meanwhile; behind Close it drops
// what the peer does not take. Only the runner calls it.
func (t *timeouts) tell() {
	t.due = false
	var over Timeout
	for way := range t.each {
		if t.over(way) {
			over |= 1 << way
			t.c.goesOn(way)
		}
	}
	t.arm()
	switch {
	case over == 0:
	case t.c.state == closing:
		t.c.out.giveUp()
	default:
		t.c.h.OnTimeout(t.c, over)
	}
}
