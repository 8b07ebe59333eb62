package stream

import (
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// recheckAfter is for how long a multishot receive is believed that nothing came: so long at least, and twice as long
// at most.
const recheckAfter = time.Second

// Rechecks are a loop's connections whose multishot receive has brought something lately, and may have been forgotten:
// if the peer's reset comes while the kernel is busy with its bytes, Linux (6.18 at least) reports the bytes and sleeps
// on, see https://github.com/axboe/liburing/issues/1549 for the same with an end of stream. A receive that is begun
// anew finds what there is. All are looked at equally long after they came in, so a queue and one timer do for them.
// Connections that rest are not in it. C is a pointer.
type Rechecks[C Rechecked] struct {
	l     *loop.Loop
	timer timer.Timer
	armed bool
	queue []recheck[C]
	head  int // of queue: what is before it is gone
}

// Rechecked is a connection.
type Rechecked interface {
	comparable
	// Input is what has come on it.
	Input() *In
	// Recheck says that nothing was heard for a while, so that it is time to ask: see In.Recheck.
	Recheck()
}

// Init makes the rechecks those of a loop.
func (r *Rechecks[C]) Init(l *loop.Loop) { r.l = l }

// Heard is said when the receive has brought something, and goes on.
func (r *Rechecks[C]) Heard(c C) {
	if n := &c.Input().recheck; *n == 0 {
		r.add(c)
	} else {
		*n |= heard
	}
}

// rechecksMax is how many connections are looked at in a turn; the others wait for the next.
const rechecksMax = 256

// recheck is a connection's place in the queue.
type recheck[C Rechecked] struct {
	c  C // nil: it has left
	at int64
}

// recheckNumber is what a connection keeps of that: twice the place, counted from 1, and heard; 0: it has none.
type recheckNumber uint32

// heard says that something has come since.
const heard recheckNumber = 1

func (n recheckNumber) place() int { return int(n>>1) - 1 }

// add puts c at the end.
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

// Drop takes the connection out of the queue, if it is in.
func (r *Rechecks[C]) Drop(c C) {
	if n := &c.Input().recheck; *n != 0 {
		var none C
		r.queue[n.place()].c = none
		*n = 0
	}
}

// Fire asks for those of which nothing was heard since they came in.
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

// Trim gives the queue's memory back if it is empty.
func (r *Rechecks[C]) Trim() {
	if r.head == len(r.queue) {
		r.queue, r.head = nil, 0
	}
}
