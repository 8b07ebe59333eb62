package relay

import (
	"sync"

	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Pipe is a kernel pipe, through which bytes go from one descriptor to another without passing through the process's
// memory.
type Pipe struct {
	R, W int32
	Held int        // bytes in it
	l    *loop.Loop // the loop that it belongs to
}

// TakeOut reads the bytes in the pipe, which is empty then.
func (p *Pipe) TakeOut() []byte {
	var r fd.FD
	r.Init(p.R)
	rest := make([]byte, p.Held)
	for n := 0; ; {
		o := op.Op{Code: op.Read, FD: &r, Buf: rest[n:], Off: -1}
		res := p.l.World().Call(&o)
		if res > 0 {
			n += int(res)
		}
		if res <= 0 || n == len(rest) { // if that is not all, the pipe must not be used again
			p.Held -= n
			return rest[:n]
		}
	}
}

// Pipes are the pipes of a loop. A relay takes one when there are bytes to put into it, and returns it when they have
// gone out, so that a connection that waits for bytes has none.
//
// Foreign callers take pipes too, so there is a lock; no caller waits while it holds the lock.
type Pipes struct {
	l      *loop.Loop
	k      kernel.Kernel
	mu     sync.Mutex
	idle   []Pipe
	unused int // pipes of idle that were not taken since the last Trim
	used   int
	closed bool // the loop has ended
	none   bool // the system has no splice(2): all bytes go through memory
	handle loop.Handle
}

const (
	pipeRoom = 1 << 20 // the size that is asked for: more is not faster
	usedMax  = 256     // in use in a loop at once; further relays go through memory
	idleMax  = 8       // kept for reuse
)

// Register makes the pipes those of a loop, which closes them when it ends.
func (s *Pipes) Register(l *loop.Loop) {
	s.l, s.k = l, l.Kernel()
	s.none = !sys.HaveSplice && l.World().Beside() // the kernel of a simulated world always has splice
	l.Handles().Register(&s.handle, s)
}

// Take returns an empty pipe; ok is false if none can be had.
func (s *Pipes) Take() (p Pipe, ok bool) {
	s.mu.Lock()
	if s.none || s.used == usedMax {
		s.mu.Unlock()
		return Pipe{}, false
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
		return Pipe{}, false
	}
	return Pipe{R: r, W: w, l: s.l}, true
}

// Give returns a pipe. A pipe that is not empty is closed.
func (s *Pipes) Give(p Pipe) {
	s.mu.Lock()
	s.used--
	keep := p.Held == 0 && len(s.idle) < idleMax && !s.closed
	if keep {
		s.idle = append(s.idle, p)
	}
	s.mu.Unlock()
	if !keep {
		s.close(p)
		return
	}
	s.l.HasSpare()
}

// Trim closes the pipes that were not taken since the last Trim, and reports whether others are kept.
func (s *Pipes) Trim() (more bool) {
	var unused [idleMax]Pipe
	s.mu.Lock()
	n := copy(unused[:], s.idle[:s.unused])
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.unused = len(s.idle)
	more = s.unused > 0
	s.mu.Unlock()
	for _, p := range unused[:n] {
		s.close(p)
	}
	return more
}

func (s *Pipes) close(p Pipe) {
	s.k.Close(p.R)
	s.k.Close(p.W)
}

// Drain does nothing when the loop stops accepting.
func (s *Pipes) Drain() {}

// Abandon closes the idle pipes, because the loop ends.
func (s *Pipes) Abandon() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.unused, s.closed = nil, 0, true
	s.mu.Unlock()
	for _, p := range idle {
		s.close(p)
	}
}
