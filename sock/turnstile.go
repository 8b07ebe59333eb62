package sock

import "ringo/internal/loop"

// turnstile lets one task at a time into one direction of a connection, in order
// of arrival.
type turnstile struct {
	busy    bool
	turn    *loop.Task // who was let in last
	waiting []*loop.Task
}

// enter takes a turn; false if the task was cancelled before it got one.
func (s *turnstile) enter(l *loop.Loop) bool {
	if !s.busy {
		s.busy = true
		return true
	}
	if l.Canceled() {
		return false
	}
	me := l.Task()
	s.waiting = append(s.waiting, me)
	l.Park(s)
	return s.turn == me
}

// leave lets the next one in.
func (s *turnstile) leave(l *loop.Loop) {
	s.turn = nil
	if len(s.waiting) == 0 {
		s.busy = false
		return
	}
	s.turn = s.waiting[0]
	s.drop(s.turn)
	l.Ready(s.turn)
}

func (s *turnstile) drop(t *loop.Task) {
	for i, w := range s.waiting {
		if w == t {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
}

// CancelWait lets a cancelled task out of the queue.
func (s *turnstile) CancelWait(t *loop.Task) {
	s.drop(t)
	t.Loop().Ready(t)
}
