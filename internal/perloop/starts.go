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

// All records that l has started, and reports whether all loops of its Run have. A loop of another Run begins a new
// count. G.
func (s *Starts) All(l *loop.Loop) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != l.Set() {
		s.run, s.has = l.Set(), map[*loop.Loop]bool{}
	}
	s.has[l] = true
	return len(s.has) == len(l.Set().Loops())
}
