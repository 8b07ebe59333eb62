package sock

import (
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/loop"
)

// What connections have given back goes when nobody has used it between two Trims, and stays for those that use it.
func TestSpareMemoryIsGivenBack(t *testing.T) {
	s := &loopState{l: new(loop.Loop)}
	kept := s.spare.Len
	use := func(n int) {
		var bufs [][]byte
		for range n {
			bufs = append(bufs, s.getMem(4096))
		}
		for _, b := range bufs {
			s.putMem(b)
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

	pl := s.packets()
	pl.used = true
	if more := s.Trim(); !more || s.packet != pl {
		t.Error("the memory of datagrams that were read went")
	}
	pl.owner = new(packet)
	if s.Trim(); s.packet != pl {
		t.Error("the memory of datagrams that are unread went")
	}
	pl.owner = nil
	if more := s.Trim(); more || s.packet != nil {
		t.Error("the memory of datagrams stays where nobody reads any")
	}
}

// Gathered reports whether slices were ever put together in memory of the connection's loop.
func Gathered(c *Conn) bool { return c.local.gather != nil }
