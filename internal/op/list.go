package op

// List is a FIFO of ops, linked by their Next. An op is in one at a time. The zero List is empty.
type List struct{ first, last *Op }

// First is the oldest, nil if there is none. Whoever goes through the list from there by Next, and takes ops out on the
// way, reads an op's Next before it is taken out.
func (l *List) First() *Op { return l.first }

// Empty reports whether there is none.
func (l *List) Empty() bool { return l.first == nil }

// Push puts o behind the others.
func (l *List) Push(o *Op) {
	o.Next = nil
	if l.last == nil {
		l.first = o
	} else {
		l.last.Next = o
	}
	l.last = o
}

// Pop takes the oldest out; there must be one.
func (l *List) Pop() *Op {
	o := l.first
	if l.first = o.Next; l.first == nil {
		l.last = nil
	}
	o.Next = nil
	return o
}

// TakeAll moves all of l into a list of its own, so that what is pushed while that is worked off is for the next time.
func (l *List) TakeAll() List {
	all := *l
	*l = List{}
	return all
}

// Remove takes o out and reports whether it was there.
func (l *List) Remove(o *Op) bool {
	return l.RemoveFirst(func(at *Op) bool { return at == o }) != nil
}

// RemoveFirst takes out the oldest for which is holds, nil if there is none.
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
