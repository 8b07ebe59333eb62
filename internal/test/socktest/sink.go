//go:build linux

package socktest

import "io"

// sink reads what a peer gets, as much as it is allowed to.
type sink struct {
	guard
	allowed int // -1: all
	got     []byte
	over    bool
	done    latch
}

// collect makes a sink that reads nothing yet.
func collect(p place, r io.Reader) *sink {
	s := &sink{guard: p.guard(), done: p.latch()}
	p.begin(nil, func() { s.read(r) })
	return s
}

func (s *sink) read(r io.Reader) {
	defer s.done.open()
	p := make([]byte, 1<<16)
	for {
		s.Lock()
		for s.allowed >= 0 && len(s.got) >= s.allowed {
			s.Wait()
		}
		room := len(p)
		if s.allowed >= 0 {
			room = min(room, s.allowed-len(s.got))
		}
		s.Unlock()
		n, err := r.Read(p[:room])
		s.Lock()
		s.got = append(s.got, p[:n]...)
		s.over = err != nil
		s.Broadcast()
		s.Unlock()
		if err != nil {
			return
		}
	}
}

// open lets it read all.
func (s *sink) open() { s.allow(-1) }

// allow lets it read so many bytes.
func (s *sink) allow(n int) {
	s.Lock()
	defer s.Unlock()
	s.allowed = n
	s.Broadcast()
}

// awaitBytes waits until so many bytes are there, or the end.
func (s *sink) awaitBytes(n int) {
	s.Lock()
	defer s.Unlock()
	for len(s.got) < n && !s.over {
		s.Wait()
	}
}

// bytes is what it has.
func (s *sink) bytes() []byte {
	s.Lock()
	defer s.Unlock()
	return append([]byte(nil), s.got...)
}
