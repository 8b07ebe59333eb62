package op

// List is a FIFO of ops, linked by their Next. An op is in one list at a time. The zero List is empty.
type List struct{ first, last *Op }

// First returns the oldest op; nil if there is none. Callers that follow Next from there and take ops out on the way
// must read an op's Next before they take it out.
func (l *List) First() *Op { return l.first }

// Empty reports whether the list has no ops.
func (l *List) Empty() bool { return l.first == nil }

// Push appends o.
func (l *List) Push(o *Op) {
	o.Next = nil
	if l.last == nil {
		l.first = o
	} else {
		l.last.Next = o
	}
	l.last = o
}

// Pop removes and returns the oldest op; there must be one.
func (l *List) Pop() *Op {
	o := l.first
	if l.first = o.Next; l.first == nil {
		l.last = nil
	}
	o.Next = nil
	return o
}

// TakeAll moves all ops to the list that it returns, so that ops pushed while the caller works through that one wait
// for the next call.
func (l *List) TakeAll() List {
	all := *l
	*l = List{}
	return all
}

// Remove removes o, and reports whether it was there.
func (l *List) Remove(o *Op) bool {
	return l.RemoveFirst(func(at *Op) bool { return at == o }) != nil
}

// RemoveFirst removes and returns the oldest op for which is reports true; nil if there is none.
func (l *List) RemoveFirst(is func(*Op) bool) *Op {
	var before *Op
	for o := l.first; o != nil; before, o = o, o.Next {
		if !is(o) {
			continue
		}
		if before == nil {
			l.first = o.Next
		} else {
			before.Next = o.Next
		}
		if l.last == o {
			l.last = before
		}
		o.Next = nil
		return o
	}
	return nil
}
