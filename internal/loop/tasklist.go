package loop

import "iter"

// TaskList is parked tasks in order of arrival, linked through the tasks, of
// which each is in one list at most. The links make a ring and the list is its
// last task, so that both ends are at hand for one word.
type TaskList struct{ last *Task }

// Empty reports whether nobody waits.
func (w *TaskList) Empty() bool { return w.last == nil }

// Push adds a task at the end.
func (w *TaskList) Push(t *Task) {
	if w.last == nil {
		t.next = t
	} else {
		t.next, w.last.next = w.last.next, t
	}
	w.last = t
}

// Pop takes the first; nil if there is none.
func (w *TaskList) Pop() *Task {
	if w.last == nil {
		return nil
	}
	first := w.last.next
	w.cut(w.last, first)
	return first
}

// Remove takes a task out, wherever it is.
func (w *TaskList) Remove(t *Task) {
	if w.last == nil {
		return
	}
	for before := w.last; ; before = before.next {
		if before.next == t {
			w.cut(before, t)
			return
		}
		if before.next == w.last {
			return
		}
	}
}

// cut takes out t, which comes after before.
func (w *TaskList) cut(before, t *Task) {
	if before == t {
		w.last = nil
	} else {
		before.next = t.next
		if w.last == t {
			w.last = before
		}
	}
	t.next = nil
}

// all gives the tasks from the first to the last. The list must not change meanwhile.
func (w *TaskList) all() iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		for t := w.last; t != nil; {
			if t = t.next; !yield(t) || t == w.last {
				return
			}
		}
	}
}
