package uring

import "ringo/internal/op"

// list is a queue of ops, linked through Op.Next.
type list struct {
	head, tail *op.Op
}

func (l *list) empty() bool { return l.head == nil }

func (l *list) push(o *op.Op) {
	o.Next = nil
	if l.tail == nil {
		l.head = o
	} else {
		l.tail.Next = o
	}
	l.tail = o
}

func (l *list) pop() *op.Op {
	o := l.head
	l.head = o.Next
	if l.head == nil {
		l.tail = nil
	}
	o.Next = nil
	return o
}

// removeFirst removes the first op for which is holds.
func (l *list) removeFirst(is func(*op.Op) bool) *op.Op {
	var prev *op.Op
	for o := l.head; o != nil; prev, o = o, o.Next {
		if !is(o) {
			continue
		}
		if prev == nil {
			l.head = o.Next
		} else {
			prev.Next = o.Next
		}
		if l.tail == o {
			l.tail = prev
		}
		o.Next = nil
		return o
	}
	return nil
}
