package sock

import (
	"time"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/timer"
)

// doubtAfter is for how long a multishot receive is believed that nothing came: so long at least, and twice as long at
// most.
const doubtAfter = time.Second

// doubts are a loop's connections whose multishot receive has brought something lately: all are looked at equally long
// after they came in, so a queue and one timer do for them. Connections that rest are not in it.
type doubts struct {
	l     *loop.Loop
	timer timer.Timer
	armed bool
	queue []doubt
	head  int // of queue: what is before it is gone
}

// doubtsMax is how many connections are looked at in a turn; the others wait for the next.
const doubtsMax = 256

// doubt is a connection's place in the queue.
type doubt struct {
	c  *Conn // nil: it has left
	at int64
}

// doubtNumber is what a connection keeps of that: twice the place, counted from 1, and heard; 0: it has none.
type doubtNumber uint32

// heard says that something has come since.
const heard doubtNumber = 1

func (n doubtNumber) place() int { return int(n>>1) - 1 }

// add puts c at the end.
func (d *doubts) add(c *Conn) {
	if d.head == len(d.queue) {
		d.queue, d.head = d.queue[:0], 0
	} else if d.head > len(d.queue)/2 && len(d.queue) == cap(d.queue) {
		d.close()
	}
	at := d.l.After(doubtAfter)
	d.queue = append(d.queue, doubt{c, at})
	c.in.doubt = doubtNumber(len(d.queue)) << 1
	if !d.armed {
		d.armed, d.timer.Owner = true, d
		d.l.Arm(&d.timer, at)
	}
}

// close moves the queue to the beginning of its memory.
func (d *doubts) close() {
	n := copy(d.queue, d.queue[d.head:])
	clear(d.queue[n:])
	d.queue, d.head = d.queue[:n], 0
	for i, q := range d.queue {
		if q.c != nil {
			q.c.in.doubt = doubtNumber(i+1)<<1 | q.c.in.doubt&heard
		}
	}
}

// believe takes the connection out of the queue.
func (in *input) believe(c *Conn) {
	if in.doubt != 0 {
		c.local.doubts.queue[in.doubt.place()].c = nil
		in.doubt = 0
	}
}

// Fire asks for those of which nothing was heard since they came in.
func (d *doubts) Fire(t *timer.Timer) {
	now := d.l.NowNS()
	for n := 0; d.head < len(d.queue) && n < doubtsMax; {
		q := &d.queue[d.head]
		c := q.c
		if c != nil && q.at > now {
			break
		}
		q.c = nil
		if d.head++; c == nil {
			continue
		}
		n++
		was := c.in.doubt
		if c.in.doubt = 0; was&heard != 0 {
			d.add(c)
		} else {
			c.in.doubted(c)
		}
	}
	if d.armed = d.head < len(d.queue); d.armed {
		d.l.Arm(t, max(now, d.queue[d.head].at))
	} else {
		d.l.HasSpare()
	}
}

// trim gives the queue's memory back if it is empty.
func (d *doubts) trim() {
	if d.head == len(d.queue) {
		d.queue, d.head = nil, 0
	}
}

// doubted asks behind a multishot receive that has brought something and then no
// more: if the peer's reset comes while the kernel is busy with its bytes, Linux
// (6.18 at least) reports the bytes and sleeps on, see
// https://github.com/axboe/liburing/issues/1549 for the same with an end of stream.
// A receive that is begun anew finds what there is.
func (in *input) doubted(c *Conn) {
	if in.how != receiving || c.core.Own(handle.In).Op.Canceled {
		return
	}
	o := call(c.l, op.Poll)
	o.Events = interest
	if res, ok := c.try(o); ok && res > 0 {
		in.disarm(c)
	}
}
