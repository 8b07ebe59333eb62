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

// What grows by a byte at a time, as for a Peek of much from a slow peer, is moved a few times, whoever it is for.
func TestGrowthIsAmortized(t *testing.T) {
	for name, tools := range map[string]*Tools{"a loop's": {L: new(loop.Loop)}, "foreign": nil} {
		var in In
		moved := 0
		for range 64 << 10 {
			before := cap(in.mem)
			in.Grow(tools, 4096)[0] = 1
			if in.Grown(1); cap(in.mem) != before {
				moved++
			}
		}
		if moved > 8 {
			t.Errorf("%s memory was moved %d times for 64 KiB, want 8 at most", name, moved)
		}
	}
}
