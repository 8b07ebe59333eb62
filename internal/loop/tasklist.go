package loop

import "iter"

// TaskList is a list of parked tasks in order of arrival. The tasks have the links, so a task is in one list at most.
// The links form a ring, and the list points at the last task, so that one word gives both ends.
type TaskList struct{ last *Task }

// Empty reports whether the list has no tasks.
func (w *TaskList) Empty() bool { return w.last == nil }

// Push appends a task.
func (w *TaskList) Push(t *Task) {
	if w.last == nil {
		t.next = t
	} else {
		t.next, w.last.next = w.last.next, t
	}
	w.last = t
}

// Pop removes and returns the first task; nil if there is none.
func (w *TaskList) Pop() *Task {
	if w.last == nil {
		return nil
	}
	first := w.last.next
	w.cut(w.last, first)
	return first
}

// ReadyAll empties the list, and resumes the tasks, on their loop's thread.
func (w *TaskList) ReadyAll() {
	for t := w.Pop(); t != nil; t = w.Pop() {
		t.l.Ready(t)
	}
}

// Remove removes a task from anywhere in the list. It does nothing for a task that is not in it.
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

// cut removes t, which follows before.
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

// all yields the tasks from the first to the last. The list must not change meanwhile.
func (w *TaskList) all() iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		for t := w.last; t != nil; {
			if t = t.next; !yield(t) || t == w.last {
				return
			}
		}
	}
}
