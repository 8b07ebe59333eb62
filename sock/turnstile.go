package sock

import "ringo/internal/loop"

// turnstile lets one task at a time into one direction of a connection, in order
// of arrival.
type turnstile struct {
	busy    bool
	away    *side      // if guests have the direction, which counts as busy
	turn    *loop.Task // who was let in last
	waiting loop.TaskList
}

// enter takes a turn; false if the task was cancelled before it got one.
func (s *turnstile) enter(l *loop.Loop) bool {
	if !s.busy {
		s.busy = true
		return true
	}
	if s.away != nil && s.away.reclaim() {
		return true
	}
	if l.Canceled() {
		l.Burst()
		return false
	}
	me := l.Task()
	s.waiting.Push(me)
	l.Park(s)
	return s.turn == me
}

// leave lets the next one in.
func (s *turnstile) leave(l *loop.Loop) {
	s.turn = s.waiting.Pop()
	if s.turn == nil {
		s.busy = false
		return
	}
	l.Ready(s.turn)
}

// CancelWait lets a cancelled task out of the queue.
func (s *turnstile) CancelWait(t *loop.Task) {
	s.waiting.Remove(t)
	t.Loop().Ready(t)
}
