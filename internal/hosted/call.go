package hosted

import (
	"ringo/internal/op"
	"ringo/internal/sys"
)

// call is one call of Do. It is reused, with its channel.
type call struct {
	op      *op.Op // its slot; nil while it waits for one
	code    op.Code
	res     int32
	lent    bool          // the slot's Ext belongs to the caller
	refused bool          // the op was not begun, and won't be
	async   bool          // submit it with IOSQE_ASYNC: a thread of the kernel does it
	tries   uint8         // how often the op was submitted again
	done    chan struct{} // has room for one message: there is a slot, or the call has ended
	next    *call         // in a list
	iocb    *sys.Iocb     // for native AIO, allocated once
}

// Complete records the result and wakes the caller.
func (c *call) Complete(_ *op.Op, res int32, _ uint32) {
	c.res = res
	c.done <- struct{}{}
}

// fill copies the caller's op into the slot.
func (c *call) fill(o *op.Op) {
	s := c.op
	s.Sink = c
	s.FD, s.Buf, s.Ext, s.Off = o.FD, o.Buf, o.Ext, o.Off
	s.CallFlags = o.CallFlags
	c.lent = o.Ext != nil
}

// calls is a queue of calls. The zero queue is empty.
type calls struct {
	head, tail *call
	n          int
}

func (q *calls) push(c *call) {
	c.next = nil
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	q.n++
}

// pop removes and returns the oldest call, nil if the queue is empty.
func (q *calls) pop() *call {
	c := q.head
	if c != nil {
		q.unlink(nil, c)
	}
	return c
}

// remove takes c out of the queue, and reports whether it was there.
func (q *calls) remove(c *call) bool {
	var before *call
	for at := q.head; at != nil; before, at = at, at.next {
		if at == c {
			q.unlink(before, c)
			return true
		}
	}
	return false
}

func (q *calls) unlink(before, c *call) {
	if before == nil {
		q.head = c.next
	} else {
		before.next = c.next
	}
	if q.tail == c {
		q.tail = before
	}
	c.next = nil
	q.n--
}
