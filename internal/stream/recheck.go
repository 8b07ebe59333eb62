package stream

import (
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// recheckAfter is how long a multishot receive may stay silent before it is checked: at least that long, and at most
// twice as long.
const recheckAfter = time.Second

// Rechecks are the connections of a loop whose multishot receive has brought something lately, and which the kernel
// may have forgotten: if the peer's reset comes while the kernel delivers bytes, Linux (6.18 at least) reports the
// bytes and then sleeps on; https://github.com/axboe/liburing/issues/1549 has the same with an end of stream. A new
// receive finds the reset. Each connection is checked the same time after it was added, so one queue and one timer
// serve all. Connections at rest are not in the queue. C is a pointer.
type Rechecks[C Rechecked] struct {
	l     *loop.Loop
	timer timer.Timer
	armed bool
	queue []recheck[C]
	head  int // of queue; the places before it are free
}

// Rechecked is a connection.
type Rechecked interface {
	comparable
	// Input returns the connection's In.
	Input() *In
	// Recheck is called when the receive has been silent for a while: see In.Recheck.
	Recheck()
}

// Init sets the loop.
func (r *Rechecks[C]) Init(l *loop.Loop) { r.l = l }

// Heard is called when a receive has brought something and goes on.
func (r *Rechecks[C]) Heard(c C) {
	if n := &c.Input().recheck; *n == 0 {
		r.add(c)
	} else {
		*n |= heard
	}
}

// rechecksMax is how many connections are checked in a turn; the others wait for the next.
const rechecksMax = 256

// recheck is a connection's place in the queue.
type recheck[C Rechecked] struct {
	c  C // nil if the connection has left
	at int64
}

// recheckNumber is what a connection stores: twice its place, counted from 1, plus heard; 0 if it has no place.
type recheckNumber uint32

// heard marks that something has come since the connection was added.
const heard recheckNumber = 1

func (n recheckNumber) place() int { return int(n>>1) - 1 }

// add appends c to the queue.
func (r *Rechecks[C]) add(c C) {
	if r.head == len(r.queue) {
		r.queue, r.head = r.queue[:0], 0
	} else if r.head > len(r.queue)/2 && len(r.queue) == cap(r.queue) {
		r.compact()
	}
	at := r.l.After(recheckAfter)
	r.queue = append(r.queue, recheck[C]{c, at})
	c.Input().recheck = recheckNumber(len(r.queue)) << 1
	if !r.armed {
		r.armed, r.timer.Owner = true, r
		r.l.Timers().Arm(&r.timer, at)
	}
}

// compact moves the queue to the beginning of its memory.
func (r *Rechecks[C]) compact() {
	n := copy(r.queue, r.queue[r.head:])
	clear(r.queue[n:])
	r.queue, r.head = r.queue[:n], 0
	var none C
	for i, q := range r.queue {
		if q.c != none {
			n := &q.c.Input().recheck
			*n = recheckNumber(i+1)<<1 | *n&heard
		}
	}
}

// Drop takes the connection out of the queue, if it is there.
func (r *Rechecks[C]) Drop(c C) {
	if n := &c.Input().recheck; *n != 0 {
		var none C
		r.queue[n.place()].c = none
		*n = 0
	}
}

// Fire checks the connections whose receives were silent since they were added, and adds the others again.
func (r *Rechecks[C]) Fire(t *timer.Timer) {
	now := r.l.NowNS()
	var none C
	for n := 0; r.head < len(r.queue) && n < rechecksMax; {
		q := &r.queue[r.head]
		c := q.c
		if c != none && q.at > now {
			break
		}
		q.c = none
		if r.head++; c == none {
			continue
		}
		n++
		number := &c.Input().recheck
		was := *number
		if *number = 0; was&heard != 0 {
			r.add(c)
		} else {
			c.Recheck()
		}
	}
	if r.armed = r.head < len(r.queue); r.armed {
		r.l.Timers().Arm(t, max(now, r.queue[r.head].at))
	} else {
		r.l.HasSpare()
	}
}

// Trim frees the memory of an empty queue.
func (r *Rechecks[C]) Trim() {
	if r.head == len(r.queue) {
		r.queue, r.head = nil, 0
	}
}
