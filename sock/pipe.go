package sock

import (
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// pipe is a pipe of the kernel's, in which bytes are on their way from one descriptor
// to another without passing through memory of ours.
type pipe struct {
	r, w int32
	held int // bytes in it
}

// pipes are a loop's. One is taken when there are bytes to put in it, and given back
// when they have gone out, so that a connection that waits for bytes has none.
//
// Guests take them too, so there is a lock; nobody waits with it.
type pipes struct {
	k      kernel.Kernel
	l      *loop.Loop
	mu     sync.Mutex
	idle   []pipe
	unused int // of idle, since the last trim
	used   int
	closed bool // the loop has ended
	handle loop.Handle
}

const (
	pipeRoom  = 1 << 20 // what is asked for: more is not faster
	pipesMax  = 256     // in use in a loop at once; who comes then copies
	pipesIdle = 8       // kept
)

// take gives an empty pipe; false if there is none to be had.
func (s *pipes) take() (p pipe, ok bool) {
	s.mu.Lock()
	if s.used == pipesMax {
		s.mu.Unlock()
		return pipe{}, false
	}
	s.used++
	if n := len(s.idle); n > 0 {
		p = s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.unused = min(s.unused, n-1)
		s.mu.Unlock()
		return p, true
	}
	s.mu.Unlock()
	r, w, res := s.k.Pipe(pipeRoom)
	if res < 0 {
		s.mu.Lock()
		s.used--
		s.mu.Unlock()
		return pipe{}, false
	}
	return pipe{r: r, w: w}, true
}

// give takes a pipe back. One that is not empty is of no use to others.
func (s *pipes) give(p pipe) {
	s.mu.Lock()
	s.used--
	keep := p.held == 0 && len(s.idle) < pipesIdle && !s.closed
	if keep {
		s.idle = append(s.idle, p)
	}
	s.mu.Unlock()
	if !keep {
		p.close(s.k)
		return
	}
	s.l.HasSpare()
}

// trim closes those that nobody has taken since it was last called.
func (s *pipes) trim() (more bool) {
	var unused [pipesIdle]pipe
	s.mu.Lock()
	n := copy(unused[:], s.idle[:s.unused])
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.unused = len(s.idle)
	more = s.unused > 0
	s.mu.Unlock()
	for _, p := range unused[:n] {
		p.close(s.k)
	}
	return more
}

func (p pipe) close(k kernel.Kernel) {
	for _, end := range [...]int32{p.r, p.w} {
		k.Close(end)
	}
}

// Drain is the loop's word that accepts have stopped.
func (s *pipes) Drain() {}

// Abandon closes what is kept, as the loop ends.
func (s *pipes) Abandon() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.unused, s.closed = nil, 0, true
	s.mu.Unlock()
	for _, p := range idle {
		p.close(s.k)
	}
}
