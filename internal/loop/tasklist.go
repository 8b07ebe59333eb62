package loop

// TaskList is parked tasks in order of arrival, linked through the tasks, of
// which each is in one list at most. Lists are short as a rule, so that finding
// the end by walking is cheaper than another word in every connection.
type TaskList struct{ head *Task }

// Empty reports whether nobody waits.
func (w *TaskList) Empty() bool { return w.head == nil }

// Push adds a task at the end.
func (w *TaskList) Push(t *Task) {
	p := &w.head
	for *p != nil {
		p = &(*p).next
	}
	t.next = nil
	*p = t
}

// Pop takes the first; nil if there is none.
func (w *TaskList) Pop() *Task {
	t := w.head
	if t != nil {
		w.head, t.next = t.next, nil
	}
	return t
}

// Remove takes a task out, wherever it is.
func (w *TaskList) Remove(t *Task) {
	for p := &w.head; *p != nil; p = &(*p).next {
		if *p == t {
			*p, t.next = t.next, nil
			return
		}
	}
}
