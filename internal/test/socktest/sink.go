//go:build linux

package socktest

import "io"

// sink reads what a peer gets, up to the number of bytes that it is allowed.
type sink struct {
	guard
	allowed int // how many bytes; -1: all
	got     []byte
	over    bool
	done    latch
}

// collect makes a sink that does not read anything yet.
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

// open allows the sink to read everything.
func (s *sink) open() { s.allow(-1) }

// allow sets how many bytes the sink may read in all.
func (s *sink) allow(n int) {
	s.Lock()
	defer s.Unlock()
	s.allowed = n
	s.Broadcast()
}

// awaitBytes waits until n bytes have been read, or the stream has ended.
func (s *sink) awaitBytes(n int) {
	s.Lock()
	defer s.Unlock()
	for len(s.got) < n && !s.over {
		s.Wait()
	}
}

// bytes returns a copy of what the sink has read.
func (s *sink) bytes() []byte {
	s.Lock()
	defer s.Unlock()
	return append([]byte(nil), s.got...)
}
