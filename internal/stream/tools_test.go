package stream

import (
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/loop"
)

// What connections have given back goes when nobody has used it between two Trims, and stays for those that use it.
func TestSpareMemoryIsGivenBack(t *testing.T) {
	s := &Tools{L: new(loop.Loop)}
	kept := s.spare.Len
	use := func(n int) {
		var bufs [][]byte
		for range n {
			bufs = append(bufs, s.Get(4096))
		}
		for _, b := range bufs {
			s.Put(b)
		}
	}
	if use(bufs.SpareMax + 1); kept() != bufs.SpareMax {
		t.Errorf("%d are kept, want %d", kept(), bufs.SpareMax)
	}
	if more := s.Trim(); !more || kept() != bufs.SpareMax {
		t.Errorf("%d are kept after the first Trim, more %v; want all: they were in use", kept(), more)
	}
	use(5)
	if more := s.Trim(); !more || kept() != 5 {
		t.Errorf("%d are kept after the second, more %v; want the 5 that were used in between", kept(), more)
	}
	if more := s.Trim(); more || kept() != 0 {
		t.Errorf("%d are kept after the third, more %v; want none and no more", kept(), more)
	}
}
