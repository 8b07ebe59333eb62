package memkernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// The lowest number is the one that is given, however many are open.
func TestLowestDescriptor(t *testing.T) {
	const most = 10_000
	h := NewNetwork(world.New(1)).Host("here")
	h.SetDescriptors(most)
	first := h.Socket(sys.AFUnix, sys.SockDgram, 0)
	for want := first + 1; want < first+most; want++ {
		if fd := h.Dup(first); fd != want {
			t.Fatalf("descriptor %d, want %d", fd, want)
		}
	}
	if fd := h.Dup(first); fd != -sys.EMFILE {
		t.Errorf("one more: %d", fd)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var closed []int32
	for range 5000 {
		if fd := first + 1 + r.Int32N(most-1); h.Close(fd) == 0 {
			closed = append(closed, fd)
		}
	}
	slices.Sort(closed)
	if h.Open() != most-len(closed) {
		t.Errorf("%d are open", h.Open())
	}
	for _, want := range closed {
		if fd := h.Dup(first); fd != want {
			t.Fatalf("descriptor %d, want %d", fd, want)
		}
	}
}

// BenchmarkDescriptor closes and opens one of many.
func BenchmarkDescriptor(b *testing.B) {
	h := NewNetwork(world.New(1)).Host("here")
	first := h.Socket(sys.AFUnix, sys.SockDgram, 0)
	for range 100_000 {
		h.Dup(first)
	}
	for b.Loop() {
		h.Close(h.first + 1)
		h.Dup(first)
		h.Close(h.Dup(first))
	}
}
