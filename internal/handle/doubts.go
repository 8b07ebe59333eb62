package handle

import (
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// doubtAfter is for how long a multishot receive is believed that nothing came: so long at least, and twice as long at
// most.
const doubtAfter = time.Second

// Doubts are a loop's connections whose multishot receive has brought something lately: all are looked at equally long
// after they came in, so a queue and one timer do for them. Connections that rest are not in it. C is a pointer.
type Doubts[C Doubtful] struct {
	l     *loop.Loop
	timer timer.Timer
	armed bool
	queue []doubt[C]
	head  int // of queue: what is before it is gone
}

// Doubtful is a connection.
type Doubtful interface {
	comparable
	// Doubt is where the connection keeps its number.
	Doubt() *DoubtNumber
	// Doubted says that nothing was heard for a while, so that it is time to ask.
	Doubted()
}

// Init makes the doubts those of a loop.
func (d *Doubts[C]) Init(l *loop.Loop) { d.l = l }

// Heard is said when the receive has brought something, and goes on.
func (d *Doubts[C]) Heard(c C) {
	if n := c.Doubt(); *n == 0 {
		d.add(c)
	} else {
		*n |= heard
	}
}

// doubtsMax is how many connections are looked at in a turn; the others wait for the next.
const doubtsMax = 256

// doubt is a connection's place in the queue.
type doubt[C Doubtful] struct {
	c  C // nil: it has left
	at int64
}

// DoubtNumber is what a connection keeps of that: twice the place, counted from 1, and heard; 0: it has none.
type DoubtNumber uint32

// heard says that something has come since.
const heard DoubtNumber = 1

func (n DoubtNumber) place() int { return int(n>>1) - 1 }

// add puts c at the end.
func (d *Doubts[C]) add(c C) {
	if d.head == len(d.queue) {
		d.queue, d.head = d.queue[:0], 0
	} else if d.head > len(d.queue)/2 && len(d.queue) == cap(d.queue) {
		d.close()
	}
	at := d.l.After(doubtAfter)
	d.queue = append(d.queue, doubt[C]{c, at})
	*c.Doubt() = DoubtNumber(len(d.queue)) << 1
	if !d.armed {
		d.armed, d.timer.Owner = true, d
		d.l.Arm(&d.timer, at)
	}
}

// close moves the queue to the beginning of its memory.
func (d *Doubts[C]) close() {
	n := copy(d.queue, d.queue[d.head:])
	clear(d.queue[n:])
	d.queue, d.head = d.queue[:n], 0
	var none C
	for i, q := range d.queue {
		if q.c != none {
			n := q.c.Doubt()
			*n = DoubtNumber(i+1)<<1 | *n&heard
		}
	}
}

// Believe takes the connection out of the queue, if it is in.
func (d *Doubts[C]) Believe(c C) {
	if n := c.Doubt(); *n != 0 {
		var none C
		d.queue[n.place()].c = none
		*n = 0
	}
}

// Fire asks for those of which nothing was heard since they came in.
func (d *Doubts[C]) Fire(t *timer.Timer) {
	now := d.l.NowNS()
	var none C
	for n := 0; d.head < len(d.queue) && n < doubtsMax; {
		q := &d.queue[d.head]
		c := q.c
		if c != none && q.at > now {
			break
		}
		q.c = none
		if d.head++; c == none {
			continue
		}
		n++
		number := c.Doubt()
		was := *number
		if *number = 0; was&heard != 0 {
			d.add(c)
		} else {
			c.Doubted()
		}
	}
	if d.armed = d.head < len(d.queue); d.armed {
		d.l.Arm(t, max(now, d.queue[d.head].at))
	} else {
		d.l.HasSpare()
	}
}

// Trim gives the queue's memory back if it is empty.
func (d *Doubts[C]) Trim() {
	if d.head == len(d.queue) {
		d.queue, d.head = nil, 0
	}
}
