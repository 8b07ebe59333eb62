package memkernel

// stream is the bytes that a socket or a pipe holds, in order.
type stream struct {
	b    []byte
	head int
}

func (s *stream) len() int { return len(s.b) - s.head }

func (s *stream) put(p []byte) {
	if s.head > 0 && len(s.b)+len(p) > cap(s.b) {
		n := copy(s.b, s.b[s.head:])
		s.b, s.head = s.b[:n], 0
	}
	s.b = append(s.b, p...)
}

// peek copies from the front without removing it.
func (s *stream) peek(p []byte) int { return copy(p, s.b[s.head:]) }

// skip removes n bytes from the front.
func (s *stream) skip(n int) {
	if s.head += n; s.head == len(s.b) {
		s.b, s.head = s.b[:0], 0
	}
}

// take copies from the front and removes it.
func (s *stream) take(p []byte) int {
	n := s.peek(p)
	s.skip(n)
	return n
}

// scatter copies p into slices, and returns how much fitted.
func scatter(bufs [][]byte, p []byte) (n int) {
	for _, b := range bufs {
		m := copy(b, p)
		p = p[m:]
		n += m
	}
	return n
}

func size(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}
