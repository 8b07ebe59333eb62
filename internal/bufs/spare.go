package bufs

import "ringo/internal/invariant"

// Spare keeps freed pieces of memory of all sizes for reuse, up to a bound. The zero Spare is empty. It belongs to one
// thread.
type Spare struct {
	free [][]byte
	old  [][]byte // pieces that were free at the last Trim
}

const (
	// SpareMax is how many pieces are kept.
	SpareMax  = 64
	spareSize = 1 << 17 // the largest piece that is kept
	spareMin  = 512
)

// Get returns memory for at least n bytes, of length 0.
func (s *Spare) Get(n int) []byte {
	for _, list := range [...]*[][]byte{&s.free, &s.old} {
		bufs := *list
		for i := len(bufs) - 1; i >= 0; i-- {
			if b := bufs[i]; cap(b) >= n {
				last := len(bufs) - 1
				bufs[i], bufs[last] = bufs[last], nil
				*list = bufs[:last]
				return b[:0]
			}
		}
	}
	size := spareMin
	for size < n {
		size *= 2
	}
	return make([]byte, 0, size)
}

// Put takes memory back, and reports whether it is kept.
func (s *Spare) Put(b []byte) bool {
	if len(s.free)+len(s.old) >= SpareMax || cap(b) > spareSize || cap(b) == 0 {
		return false
	}
	invariant.Poison(b[:cap(b)])
	s.free = append(s.free, b[:0])
	return true
}

// Len returns how many pieces are kept.
func (s *Spare) Len() int { return len(s.free) + len(s.old) }

// Trim drops the pieces that were not taken since the last Trim, and reports whether others are kept.
func (s *Spare) Trim() (more bool) {
	clear(s.old)
	s.free, s.old = s.old[:0], s.free
	return len(s.old) > 0
}
