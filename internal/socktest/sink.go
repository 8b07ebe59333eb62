//go:build linux

package socktest

import (
	"io"
	"sync"
)

// sink reads what a peer gets, as much as it is allowed to.
type sink struct {
	mu      sync.Mutex
	changed sync.Cond
	allowed int // -1: all
	got     []byte
	over    bool
	done    chan struct{}
}

// collect makes a sink that reads nothing yet.
func collect(r io.Reader) *sink {
	s := &sink{done: make(chan struct{})}
	s.changed.L = &s.mu
	go s.read(r)
	return s
}

func (s *sink) read(r io.Reader) {
	defer close(s.done)
	p := make([]byte, 1<<16)
	for {
		s.mu.Lock()
		for s.allowed >= 0 && len(s.got) >= s.allowed {
			s.changed.Wait()
		}
		room := len(p)
		if s.allowed >= 0 {
			room = min(room, s.allowed-len(s.got))
		}
		s.mu.Unlock()
		n, err := r.Read(p[:room])
		s.mu.Lock()
		s.got = append(s.got, p[:n]...)
		s.over = err != nil
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// open lets it read all.
func (s *sink) open() { s.allow(-1) }

// allow lets it read so many bytes.
func (s *sink) allow(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = n
	s.changed.Broadcast()
}

// awaitBytes waits until so many bytes are there, or the end.
func (s *sink) awaitBytes(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.got) < n && !s.over {
		s.changed.Wait()
	}
}

// bytes is what it has.
func (s *sink) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.got...)
}
