package perloop

import (
	"sync"

	"ringo/internal/loop"
)

// Starts finds the last loop of a Run to start. The zero value is ready.
type Starts struct {
	mu  sync.Mutex
	run *loop.Set
	has map[*loop.Loop]bool
}

// All reports whether each loop of l's Run has called it, with l. G.
func (s *Starts) All(l *loop.Loop) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != l.Set() {
		s.run, s.has = l.Set(), map[*loop.Loop]bool{}
	}
	s.has[l] = true
	return len(s.has) == len(l.Set().Loops())
}
