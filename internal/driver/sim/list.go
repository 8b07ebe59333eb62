//go:build linux

package sim

import "ringo/internal/op"

// list is a FIFO of ops, linked by their Next.
type list struct{ head, tail *op.Op }

func (l *list) push(o *op.Op) {
	o.Next = nil
	if l.tail == nil {
		l.head = o
	} else {
		l.tail.Next = o
	}
	l.tail = o
}

// pop takes the oldest; the list must not be empty.
func (l *list) pop() *op.Op {
	o := l.head
	if l.head = o.Next; l.head == nil {
		l.tail = nil
	}
	o.Next = nil
	return o
}

// takeAll moves all of l into a list of its own, so that what is pushed while
// that is worked off is for the next time.
func (l *list) takeAll() list {
	all := *l
	*l = list{}
	return all
}

// remove takes o out and reports whether it was there.
func (l *list) remove(o *op.Op) bool {
	var before *op.Op
	for at := l.head; at != o; at = at.Next {
		if at == nil {
			return false
		}
		before = at
	}
	if before == nil {
		l.head = o.Next
	} else {
		before.Next = o.Next
	}
	if l.tail == o {
		l.tail = before
	}
	o.Next = nil
	return true
}
